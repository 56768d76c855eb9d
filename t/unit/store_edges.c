/* The store where things meet or go wrong: accounts and domains, limits, second tries, entries that fail, files that
 * somebody else made, an owner that dies while its mailboxes are selected in another worker. */
#include "core/mem.h"
#include "storage/path.h"
#include "t/store.h"
#include <semaphore.h>

#define ALICE   "alice@example.test"
#define REST_MS 61000 /* databases that nobody asks for so long are closed */

static struct account *alice;

/* --- accounts and domains ------------------------------------------------------------------------------------------------ */

static enum err change_account(const char *address, const char *password, const char *hash, bool create)
{
	struct account_change c = { str_of(address), str_of(password), str_of(hash), create, false };

	got_begin();
	store_account_change(asker, &c, on_done, NULL);
	return got_end();
}

static void on_names(void *user, enum err e, const struct str *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_printf(&got.text, "%s" STR_FMT, i ? " " : "", STR_ARG(list[i]));
	on_done(user, e);
}

static enum err domains(void)
{
	got_begin();
	store_domain_list(asker, on_names, NULL);
	return got_end();
}

static enum err accounts(const char *domain)
{
	got_begin();
	store_account_list(asker, str_of(domain), on_names, NULL);
	return got_end();
}

static enum err add_domain(const char *domain)
{
	got_begin();
	store_domain_add(asker, str_of(domain), on_done, NULL);
	return got_end();
}

static enum err remove_domain(const char *domain)
{
	got_begin();
	store_domain_delete(asker, str_of(domain), on_done, NULL);
	return got_end();
}

static enum err remove_account(const char *address)
{
	got_begin();
	store_account_delete(asker, str_of(address), on_done, NULL);
	return got_end();
}

static void test_accounts(void)
{
	struct account *bob;
	uint32_t before;

	ok(change_account("bob@new.test", "x", "", true) == ERR_ABSENT,
		"no account is made in a domain that is not there");
	ok(!add_domain("New.test") && add_domain("new.test") == ERR_EXISTS, "a domain is added, once");
	ok(!domains() && got_text("example.test new.test"), "and listed");
	ok(!change_account("Bob@New.Test", "first", "", true) &&
			change_account("bob@new.test", "x", "", true) == ERR_EXISTS,
		"an account is made, once");
	ok(!accounts("new.test") && got_text("bob@new.test"), "and listed");
	ok(change_account("bob+x@new.test", "x", "", true) == ERR_MISTAKE, "an account has no detail");
	ok((bob = log_in("bob@new.test", "first")) != NULL, "it can be used");
	account_free(bob);
	ok(!change_account("bob@new.test", "second", "", false) && !log_in("bob@new.test", "first"),
		"its password is changed: the old one is of no use");
	ok((bob = log_in("bob@new.test", "second")) != NULL, "the new one is");
	ok(!deliver("bob@new.test", "a: b\r\n\r\n") && !create(bob, "more") && !status(bob, "INBOX"), "it has mail");
	before = got.status.uidvalidity;
	ok(remove_domain("new.test") == ERR_EXISTS, "a domain with accounts is not deleted");
	ok(!remove_account("bob@new.test") && remove_account("bob@new.test") == ERR_ABSENT, "the account is, once");
	ok(status(bob, "INBOX") == ERR_ABSENT && !log_in("bob@new.test", "second"), "then it is of no use");
	ok(deliver("bob@new.test", "a: b\r\n\r\n") == ERR_ABSENT, "nor has it mail");
	account_free(bob);
	ok(!change_account("bob@new.test", "third", "", true), "it is made again");
	bob = log_in("bob@new.test", "third");
	ok(bob && !status(bob, "INBOX") && !got.status.messages && got.status.uidvalidity >= before && !list(bob) &&
			got_text("INBOX"),
		"with nothing in it");
	account_free(bob);
	ok(!remove_account("bob@new.test") && !remove_domain("new.test") && !domains() && got_text("example.test"),
		"account and domain are gone");
	ok(recipient("bob@new.test") == ERR_DENIED, "which is told to whoever asks");
}

static bool settings_say(const char *account, const char *what)
{
	char path[200], text[2000] = "";
	FILE *f;
	bool says;

	snprintf(path, sizeof(path), "%s/domains/example.test/%s/account.settings", scratch_path, account);
	f = fopen(path, "r");
	says = f && fread(text, 1, sizeof(text) - 1, f) && strstr(text, what);
	if (f)
		fclose(f);
	return says;
}

static void test_hash(void)
{
	/* of the password "Hello world!": the example of the SHA-512 crypt specification */
	static const char hash[] = "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI"
				   "68u4OTLiBFdcbYEdFCoEOfaS35inz1";
	struct account *a;

	ok(!change_account("carol@example.test", "", hash, true), "a crypt hash is taken as it is");
	a = log_in("carol@example.test", "Hello world!");
	ok(a && !log_in("carol@example.test", "hello world!"), "and opens the account");
	account_free(a);
	TURN_UNTIL(settings_say("carol", "scrypt$") && !settings_say("carol", "$6$"));
	ok(settings_say("carol", "scrypt$") && !settings_say("carol", "$6$"),
		"the first login makes it a hash of our own");
	a = log_in("carol@example.test", "Hello world!");
	ok(a != NULL, "by which the same password is right");
	account_free(a);
	ok(change_account("dave@example.test", "", "abJnggxhB/yWI", true) == ERR_MISTAKE,
		"an old weak hash is refused");
}

/* --- limits ---------------------------------------------------------------------------------------------------------------- */

static void test_limits(void)
{
	struct str many[KEYWORDS_MAX + 1];
	char texts[KEYWORDS_MAX + 1][8];
	struct flag_words words = { 0, many, KEYWORDS_MAX + 1 };
	struct uid_range uid = { 1, 1 };
	struct selected *s;
	char name[32];
	enum err e = OK;
	unsigned made = 0;

	append(alice, "INBOX", STR("a: b\r\n\r\n"), 0, NULL, 0);
	s = select_mailbox(alice, "INBOX", true);
	for (unsigned i = 0; i <= KEYWORDS_MAX; i++) {
		snprintf(texts[i], sizeof(texts[i]), "w%u", i);
		many[i] = str_of(texts[i]);
	}
	got_begin();
	store_flags(asker, alice, s, &uid, 1, FLAGS_ADD, &words, on_done, NULL);
	ok(got_end() == ERR_TOO_BIG, "a mailbox has so many keywords and no more");
	words.count = KEYWORDS_MAX;
	got_begin();
	store_flags(asker, alice, s, &uid, 1, FLAGS_ADD, &words, on_done, NULL);
	ok(!got_end() && selected_keyword_count(s) == KEYWORDS_MAX, "but so many it has");
	selected_free(s);
	for (unsigned i = 0; !e && i < 50; i++) {
		snprintf(name, sizeof(name), "box%u", i);
		e = create(alice, name);
		made += !e;
	}
	ok(e == ERR_TOO_BIG && made == 39, "an account has so many mailboxes as are configured");
	for (unsigned i = 0; i < made; i++) {
		snprintf(name, sizeof(name), "box%u", i);
		append(alice, name, STR("a: b\r\n\r\n"), 0, NULL, 0);
	}
	for (unsigned i = 0; i < made; i++) {
		snprintf(name, sizeof(name), "box%u", i);
		e = status(alice, name);
		made -= e || got.status.messages != 1 ? 100 : 0;
		delete_mailbox(alice, name);
	}
	ok(made == 39, "more than are kept in memory, and none is forgotten");
}

/* --- second tries ------------------------------------------------------------------------------------------------------------ */

static unsigned answers;

static void on_answer(void *user, enum err e, uint32_t uid)
{
	(void)user;
	answers += !e && uid == got.status.uidnext;
	got.done = answers == 3;
}

static void test_twins(void)
{
	struct delivery d = { STR(ALICE), STR(""), STR(""), draft_of(STR("a: twin\r\n\r\n")), name_next(asker), false };
	uint32_t before;

	status(alice, "INBOX");
	before = got.status.messages;
	got_begin();
	answers = 0;
	for (unsigned i = 0; i < 3; i++)
		store_deliver(asker, &d, on_answer, NULL);
	got_end();
	ok(!status(alice, "INBOX") && got.status.messages == before + 1,
		"three tries at once are one delivery, thrice answered");
	draft_free(d.draft);
	d.name = name_next(asker);
	d.draft = draft_of(STR("a: cancelled\r\n\r\n"));
	call_cancel(store_deliver(asker, &d, on_answer, NULL));
	draft_free(d.draft);
	TURN_UNTIL((status(alice, "INBOX"), got.status.messages == before + 2));
	ok(answers == 3 && !status(alice, "INBOX") && got.status.messages == before + 2,
		"who cancels hears no answer, but what was begun is done");
}

/* --- entries that fail ---------------------------------------------------------------------------------------------------------- */

static void test_failure(void)
{
	struct selected *s = select_mailbox(alice, "INBOX", true);
	uint32_t next = selected_uidnext(s), count = selected_exists(s);
	struct buf trace = { 0 };
	struct delivery d = { STR(ALICE), STR(""), STR(""), draft_of(STR("a: b\r\n\r\n")), name_next(asker), false };

	while (buf_len(&trace) < 5 << 20)
		buf_add_str(
			&trace, STR("X-Trace: longer than a segment of the journal, which has but four megabytes\n"));
	d.trace = buf_str(&trace);
	got_begin();
	store_deliver(asker, &d, on_delivered, NULL);
	ok(got_end() != OK, "an entry that cannot be written fails its delivery");
	draft_free(d.draft);
	buf_free(&trace);
	ok(!append(alice, "INBOX", STR("a: after\r\n\r\n"), 0, NULL, 0) && got.uid >= next,
		"the mailbox is read again and goes on, with a UID never given before");
	TURN_UNTIL((sync_session(s, true), selected_exists(s) == count + 1));
	ok(selected_exists(s) == count + 1 && str_eq(read_message(s, count + 1), STR("a: after\n\n")),
		"sessions see what was done, and not what failed");
	selected_free(s);
}

/* --- files of others --------------------------------------------------------------------------------------------------------------- */

static void put_file(const char *name, const char *text)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/domains/example.test/alice/%s", scratch_path, name);
	f = fopen(path, "w");
	if (f) {
		fputs(text, f);
		fclose(f);
	}
}

static void test_foreign(void)
{
	struct selected *s;
	uint32_t uidvalidity;
	struct message m;

	stop();
	put_file("Foreign.mbox",
		"From joe@a.test Thu Jan  1 10:00:00 2026\nSubject: one\n\nText\n\nFrom jim@b.test Fri Jan  2 "
		"10:00:00 2026\nStatus: RO\nSubject: two\n\nno line end");
	put_file("Torn.state", "postern-state 1 id=77 generation=1 uidvalidity=5 uidnext=9 clock=12\nset subsc");
	put_file("Odd.state", "this is no head\n");
	put_file("Odd.mbox", "From joe@a.test Thu Jan  1 10:00:00 2026\nSubject: odd\n\n\n");
	start(2);
	asker = workers;
	ok(!list(alice) && got_text("Foreign INBOX Odd Torn"), "mailboxes that were copied in are there");
	s = select_mailbox(alice, "Foreign", true);
	ok(s && selected_exists(s) == 2 && selected_uidnext(s) == 3, "a foreign mbox has messages");
	ok(str_eq(read_message(s, 2), STR("Subject: two\n\nno line end\n")),
		"which can be read, without state headers");
	uidvalidity = selected_uidvalidity(s);
	ok(!append(alice, "Foreign", STR("Subject: three\r\n\r\n3\r\n"), 0, NULL, 0) && got.uid == 3 &&
			sync_tells(s, true, "=3"),
		"and can be appended to");
	ok(!change_flags(alice, s, 1, 1, FLAGS_ADD, FLAG_FLAGGED, NULL) && sync_tells(s, true, "1:4"), "and changed");
	selected_free(s);
	ok(!append(alice, "Torn", STR("a: b\r\n\r\n"), 0, NULL, 0) && got.uid == 9 && got.uidvalidity == 5,
		"a state file torn at its end is gone on with");
	s = select_mailbox(alice, "Odd", true);
	ok(s && selected_exists(s) == 1 && str_eq(read_message(s, 1), STR("Subject: odd\n\n")),
		"one without a head says nothing, and its mbox is there");
	selected_free(s);
	stop();
	start(2);
	asker = workers;
	s = select_mailbox(alice, "Foreign", false);
	selected_message(s, 1, &m);
	ok(s && selected_exists(s) == 3 && selected_uidvalidity(s) == uidvalidity && m.flags == FLAG_FLAGGED &&
			m.uid == 1,
		"what was taken over stays so");
	ok(str_eq(read_message(s, 3), STR("Subject: three\n\n3\n")), "each message in its place");
	selected_free(s);
}

/* --- two workers --------------------------------------------------------------------------------------------------------------------- */

static unsigned changes;

static void on_changed(void *user)
{
	(void)user;
	changes++;
}

static void owner_dies(unsigned slot)
{
	stopped[slot] = false;
	store_stop(&workers[slot], on_stopped);
	wait_for(&stopped[slot]);
	worker_end(&workers[slot]);
	atomic_fetch_add(&shm_slot(shm, slot)->generation, 1);
	worker_begin(slot);
}

static void test_owner(void)
{
	unsigned owner = alice->owner;
	struct selected *s, *other;
	struct message m;

	asker = &workers[1 - owner];
	s = select_mailbox(alice, "INBOX", true);
	other = select_mailbox(alice, "INBOX", false);
	selected_watch(s, on_changed, NULL);
	turn_for(20);
	ok(s && !changes, "a session in another worker waits for news");
	deliver(ALICE, "a: news\r\n\r\n");
	TURN_UNTIL(changes);
	ok(changes == 1, "and hears of a delivery");
	deliver(ALICE, "a: more news\r\n\r\n");
	status(alice, "INBOX"); /* seen */
	turn_for(20);
	ok(changes == 1, "once until it looks");
	selected_sync(s, true, &(struct selected_news){ 0 }, NULL);
	turn_for(20);
	ok(changes == 1, "and not of what it saw");
	change_flags(alice, s, 1, 1, FLAGS_REPLACE, FLAG_DELETED, NULL);
	TURN_UNTIL(changes == 2);
	ok(changes == 2, "but of the next change");
	owner_dies(owner);
	selected_sync(s, true, &(struct selected_news){ 0 }, NULL);
	selected_message(s, 1, &m);
	ok(m.flags == FLAG_DELETED, "when the owner dies the session stays");
	ok(!expunge(alice, s) && sync_tells(s, true, "-1"), "its new life does what it is asked");
	selected_watch(s, on_changed, NULL);
	turn_for(1500);
	changes = 0;
	selected_sync(s, true, &(struct selected_news){ 0 }, NULL);
	deliver(ALICE, "a: to a new life\r\n\r\n");
	TURN_UNTIL(changes);
	ok(changes == 1, "and tells of what is new");
	selected_sync(other, true, &(struct selected_news){ 0 }, NULL);
	selected_sync(s, true, &(struct selected_news){ 0 }, NULL);
	ok(selected_exists(other) == selected_exists(s), "to every session");
	selected_free(other);
	selected_free(s);
}

/* Nobody waits for what RETR marks: a store that stops with it under way gives it up, or it leaks. */
static void test_seen_at_stop(void)
{
	unsigned owner = store_owner_of(&workers[0], STR(ALICE));
	struct worker *before = asker;
	struct selected *s;

	asker = &workers[!owner];
	deliver(ALICE, "Subject: seen by nobody\r\n\r\n");
	s = select_mailbox(alice, "INBOX", true);
	store_seen(asker, alice, s, &(struct uid_range){ 1, UINT32_MAX }, 1);
	selected_free(s);
	for (unsigned i = 0; i < worker_count; i++) {
		struct worker *w = &workers[(!owner + i) % worker_count];
		stopped[w->slot] = false;
		store_stop(w, on_stopped);
		wait_for(&stopped[w->slot]);
	}
	for (unsigned i = 0; i < worker_count; i++)
		worker_end(&workers[i]);
	counter_use(NULL);
	start(2);
	asker = before;
	ok(!status(alice, "INBOX") && got.status.messages, "a store stops while something is being marked as seen");
}

/* --- the index rests ------------------------------------------------------------------------------------------------------ */

/* Databases of the index that this process has open. */
static unsigned indexes_open(void)
{
	char link[64], to[4096];
	unsigned open = 0;

	for (int fd = 0; fd < 1000; fd++) {
		ssize_t len;

		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		len = readlink(link, to, sizeof(to));
		open += len > 0 && len < (ssize_t)sizeof(to) && memmem(to, (size_t)len, "/leveldb/LOCK", 13);
	}
	return open;
}

static void clocks_shift(int64_t ms)
{
	for (unsigned i = 0; i < worker_count; i++)
		timers_shift(workers[i].timers, ms);
}

static void test_rest(void)
{
	struct selected *s = NULL;

	asker = workers;
	ok(!deliver(ALICE, "Subject: rest\r\n\r\n") && !settle(ALICE), "a message is delivered");
	TURN_UNTIL(indexes_open());
	ok(indexes_open() > 0, "the index of its shard is open");
	TURN_UNTIL((clocks_shift(REST_MS), indexes_open() == 0));
	ok(indexes_open() == 0, "nobody asks for it for a minute: it is closed");
	stop();
	start(2);
	alice = (account_free(alice), log_in(ALICE, "secret"));
	ok((s = select_mailbox(alice, "INBOX", false)) && selected_exists(s) && indexes_open() > 0,
		"somebody selects the mailbox: it is open again");
	selected_free(s);
}

struct stall { /* a job that hangs in the index lane of a worker */
	struct job job;
	sem_t go;
};

static void stall_work(struct job *job)
{
	while (sem_wait(&((struct stall *)job)->go))
		;
}

static void stall_done(struct job *job)
{
	sem_destroy(&((struct stall *)job)->go);
}

static void stalls_begin(struct stall *stalls)
{
	for (unsigned i = 0; i < worker_count; i++) {
		stalls[i].job = (struct job){ .work = stall_work, .done = stall_done };
		sem_init(&stalls[i].go, 0, 0);
		lane_add(workers[i].index, &stalls[i].job);
	}
}

static void stalls_end(struct stall *stalls)
{
	for (unsigned i = 0; i < worker_count; i++)
		sem_post(&stalls[i].go);
	TURN_UNTIL(!lane_depth(workers[0].index) && !lane_depth(workers[1].index));
}

/* What is put waits in the lane behind the closing, and opens again what that closes. */
static void test_rest_asked(void)
{
	struct stall stalls[2];
	uint32_t messages;

	ok(!status(alice, "INBOX") && indexes_open() > 0, "an index is open");
	messages = got.status.messages;
	clocks_shift(REST_MS);
	turn_for(20);
	stalls_begin(stalls);
	clocks_shift(REST_MS);
	turn_for(20);
	ok(lane_depth(workers[0].index) > 1 && lane_depth(workers[1].index) > 1,
		"it is to be closed, but the lane hangs");
	ok(!deliver(ALICE, "Subject: asked\r\n\r\n") && !settle(ALICE), "a message is delivered meanwhile");
	clocks_shift(REST_MS);
	turn_for(20);
	stalls_end(stalls);
	ok(!lane_depth(workers[0].index) && !lane_depth(workers[1].index) && indexes_open() > 0,
		"when the lane goes on, what was put of it opens the index again");
	stalls_begin(stalls);
	clocks_shift(REST_MS);
	turn_for(20);
	stalls_end(stalls);
	stalls_begin(stalls);
	clocks_shift(REST_MS);
	turn_for(20);
	for (unsigned i = 0; i < worker_count; i++)
		sem_post(&stalls[i].go);
	stop();
	start(2);
	alice = (account_free(alice), log_in(ALICE, "secret"));
	ok(!status(alice, "INBOX") && got.status.messages == messages + 1,
		"a store stops while it closes an index, and all messages are there after that");
}

int main(void)
{
	struct buf why = { 0 };

	log_set_levels("error");
	test_begin(2);
	stop();
	conf_set(conf, "store", NULL, "mailboxes_per_account", "40", &why);
	conf_set(conf, "store", NULL, "open_mailboxes", "10", &why);
	start(2);
	alice = log_in(ALICE, "secret");
	test_accounts();
	test_hash();
	test_limits();
	test_twins();
	test_failure();
	test_foreign();
	test_owner();
	test_seen_at_stop();
	test_rest();
	test_rest_asked();
	account_free(alice);
	buf_free(&why);
	test_end();
	return done();
}
