/* A store whose workers are killed under load: what was acknowledged is there, once, whatever the moment. The workers
 * run in a child, many questions at a time; for each that is answered the child writes a line to a pipe. */
#include "t/store.h"
#include <signal.h>
#include <sys/wait.h>

#define ALICE   "alice@example.test"
#define LIFES   6
#define PENDING 24
#define MAILS   20000

enum { MADE = 1, FLAGGED = 2 }; /* what was acknowledged of a message */

static unsigned char known[MAILS]; /* by its number */
static uint32_t next_mail;
static uint32_t uid_told; /* the highest in "one" */
static unsigned seed;

static uint32_t below(uint32_t limit)
{
	return (uint32_t)rand_r(&seed) % limit;
}

/* --- the child ------------------------------------------------------------------------------------------------------- */

struct op {
	bool busy;
	char what; /* 'd'eliver, 'a'ppend, 'f'lag, 'm'ove, 's'ettle */
	uint32_t mail, uid;
	struct draft *draft;
	struct selected *s;
};

static struct op ops[PENDING];
static struct account *alice;
static struct selected *one;
static int told_fd;

static void tell(const struct op *o)
{
	char line[64];
	int len = snprintf(line, sizeof(line), "%c %u %u\n", o->what, o->mail, o->uid);

	if (write(told_fd, line, (size_t)len) != len)
		_exit(2);
}

/* A STORE passes over what was moved away before it. */
static bool was_flagged(const struct op *o)
{
	static const struct selected_news nothing = { 0 };
	uint32_t seq;
	struct message m;

	selected_sync(one, false, &nothing, NULL);
	if (!(seq = selected_seq(one, o->uid)))
		return false;
	selected_message(one, seq, &m);
	return m.flags & FLAG_FLAGGED;
}

static void op_done(void *user, enum err e)
{
	struct op *o = user;

	if (!e && (o->what != 'f' || was_flagged(o)))
		tell(o);
	if (e && e != ERR_ABSENT)
		dprintf(told_fd, "? %c %s\n", o->what, err_text(e));
	draft_free(o->draft);
	*o = (struct op){ 0 };
}

static void op_delivered(void *user, enum err e, uint32_t uid)
{
	(void)uid;
	op_done(user, e);
}

static void op_appended(void *user, enum err e, uint32_t uidvalidity, uint32_t uid)
{
	struct op *o = user;

	(void)uidvalidity;
	o->uid = uid;
	op_done(user, e);
}

static void op_copied(void *user, enum err e, const struct copied *c)
{
	(void)c;
	op_done(user, e);
}

static void draft_ready(void *user, enum err e)
{
	struct op *o = user;

	if (e)
		_exit(3);
	if (o->what == 'd') {
		struct delivery d = { STR(ALICE), STR(""), STR("X-Trace: yes\n"), o->draft, name_next(asker), false };

		store_deliver(asker, &d, op_delivered, o);
	} else {
		struct append ap = { o->draft, { 0 }, 0 };

		store_append(asker, alice, STR("one"), &ap, 1, op_appended, o);
	}
}

static void mail_begin(struct op *o, char what)
{
	struct buf wire = { 0 };

	o->what = what;
	o->mail = next_mail++;
	buf_printf(&wire, "Number: %u;\r\n\r\n", o->mail);
	for (unsigned lines = below(80) ? below(30) : 9000; lines; lines--)
		buf_add_str(&wire, STR("some line of the message's text\r\n"));
	o->draft = draft_new(asker, FORM_STRICT, 1 << 24);
	draft_feed(o->draft, buf_str(&wire));
	draft_end(o->draft, draft_ready, o);
	buf_free(&wire);
}

/* The number of a message, by its bytes. */
static uint32_t number_of(struct str bytes)
{
	static const struct str word = { "Number: ", 8 };

	for (size_t i = 0; i + word.len < bytes.len && i < 100; i++)
		if (str_starts(str_cut(bytes, i, bytes.len), word))
			return (uint32_t)strtoul(bytes.p + i + word.len, NULL, 10);
	return UINT32_MAX;
}

static void flag_begin(struct op *o)
{
	struct flag_words words = { .flags = FLAG_FLAGGED };
	struct uid_range uid;
	struct buf bytes = { 0 };
	struct message m;

	if (!selected_exists(one))
		return;
	selected_message(one, 1 + below(selected_exists(one)), &m);
	if (m.flags & FLAG_EXPUNGED || !selected_read_now(one, &m, 0, 100, &bytes))
		return;
	o->what = 'f';
	o->mail = number_of(buf_str(&bytes));
	o->uid = m.uid;
	uid = (struct uid_range){ m.uid, m.uid };
	buf_free(&bytes);
	store_flags(asker, alice, one, &uid, 1, FLAGS_ADD, &words, op_done, o);
}

static void op_begin(struct op *o)
{
	static const struct selected_news nothing = { 0 };
	uint32_t kind = below(100);
	struct uid_range uids;

	asker = &workers[below(worker_count)];
	o->busy = true;
	if (kind < 40) {
		mail_begin(o, 'd');
	} else if (kind < 70) {
		mail_begin(o, 'a');
	} else if (kind < 90) {
		selected_sync(one, true, &nothing, NULL);
		asker = workers;
		flag_begin(o);
	} else if (kind < 99) {
		uids.first = 1 + below(selected_uidnext(one));
		uids.last = uids.first + below(3);
		o->what = 'm';
		asker = workers;
		store_copy(asker, alice, one, &uids, 1, STR("two"), true, op_copied, o);
	} else {
		o->what = 's';
		store_settle(asker, STR(ALICE), op_done, o);
	}
	if (!o->what)
		o->busy = false;
}

static void child(unsigned life)
{
	struct message m;

	seed = life + 1;
	log_set_levels("error");
	start(2);
	alice = log_in(ALICE, "secret");
	create(alice, "one");
	create(alice, "two");
	one = select_mailbox(alice, "one", true);
	if (!one)
		_exit(4);
	if (selected_exists(one)) { /* opens the file */
		selected_message(one, 1, &m);
		read_message(one, 1);
	}
	if (write(told_fd, "go\n", 3) != 3)
		_exit(5);
	for (;;) {
		for (unsigned i = 0; i < PENDING; i++)
			if (!ops[i].busy)
				op_begin(&ops[i]);
		turn();
	}
}

/* --- the parent ------------------------------------------------------------------------------------------------------ */

static void told(char what, uint32_t mail, uint32_t uid)
{
	if (mail >= MAILS)
		return;
	if (what == 'd' || what == 'a')
		known[mail] |= MADE;
	if (what == 'a' && uid_told < uid)
		uid_told = uid;
	if (what == 'f')
		known[mail] |= FLAGGED;
}

/* Kills the child some time after it began, and takes in what it told. */
static unsigned live(unsigned life, unsigned ms)
{
	struct timespec nap = { ms / 1000, ms % 1000 * 1000000L };
	char line[128];
	unsigned count = 0;
	int ends[2];
	FILE *from;
	pid_t pid;

	if (pipe(ends))
		return 0;
	fcntl(ends[0], F_SETPIPE_SZ, 1 << 20);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		told_fd = ends[1];
		child(life);
	}
	close(ends[1]);
	from = fdopen(ends[0], "r");
	if (fgets(line, sizeof(line), from)) {
		nanosleep(&nap, NULL);
		kill(pid, SIGKILL);
	}
	waitpid(pid, NULL, 0);
	while (fgets(line, sizeof(line), from)) {
		char what;
		uint32_t mail, uid;

		if (sscanf(line, "%c %u %u", &what, &mail, &uid) == 3) {
			told(what, mail, uid);
			if (next_mail <= mail)
				next_mail = mail + 1;
			count++;
		} else {
			printf("# %s", line);
		}
	}
	fclose(from);
	next_mail += PENDING; /* numbers that were under way */
	return count;
}

static unsigned char seen_mails[MAILS];

static unsigned look(const char *mailbox, bool *ordered)
{
	struct selected *s = select_mailbox(alice, mailbox, false);
	unsigned unknown = 0;
	uint32_t uid = 0;

	for (uint32_t seq = 1; s && seq <= selected_exists(s); seq++) {
		struct message m;
		uint32_t number;

		selected_message(s, seq, &m);
		number = number_of(read_message(s, seq));
		if (number >= MAILS) {
			unknown++;
			continue;
		}
		seen_mails[number] = (unsigned char)(seen_mails[number] + 4);
		if (m.flags & FLAG_FLAGGED)
			seen_mails[number] |= FLAGGED;
		*ordered &= m.uid > uid;
		uid = m.uid;
	}
	selected_free(s);
	return unknown;
}

static void check(unsigned life, unsigned answers)
{
	unsigned lost = 0, twice = 0, unflagged = 0, unknown = 0, total = 0;
	bool ordered = true;

	memset(seen_mails, 0, sizeof(seen_mails));
	start(2);
	asker = workers;
	alice = log_in(ALICE, "secret");
	unknown += look("INBOX", &ordered);
	unknown += look("one", &ordered);
	unknown += look("two", &ordered);
	for (uint32_t i = 0; i < MAILS; i++) {
		total += seen_mails[i] >= 4;
		lost += known[i] & MADE && seen_mails[i] < 4;
		twice += seen_mails[i] >= 8;
		unflagged += known[i] & FLAGGED && !(seen_mails[i] & FLAGGED);
	}
	ok(!lost && !twice && !unflagged && !unknown && ordered,
		"life %u: of %u answers nothing is lost (%u), there twice (%u), unflagged (%u) or torn (%u) of %u",
		life, answers, lost, twice, unflagged, unknown, total);
	ok(!status(alice, "one") && got.status.uidnext > uid_told, "and no UID will be given again");
	account_free(alice);
	stop();
}

int main(int argc, char **argv)
{
	unsigned lifes = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : LIFES;

	log_set_levels("error");
	test_begin(2);
	stop();
	for (unsigned life = 0; life < lifes && next_mail < MAILS - 5000; life++)
		check(life, live(life, 50 + life * 37 % 200));
	conf_unref(conf);
	scratch_close(store_fd);
	return done();
}
