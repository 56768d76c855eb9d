/* The next generation of a mailbox: what is written anew is what was there, with the flags of now, at new places. */
#include "storage/mailbox/generation.h"
#include "core/log.h"
#include "t/scratch.h"
#include "t/tap.h"
#include <fcntl.h>
#include <sys/stat.h>

#define LARGE 3000000 /* bytes of a message that does not go through memory */

static const struct keywords words = { 2, { "$Forwarded", "work" } };
static int directory;

static void write_file(const char *name, struct str bytes)
{
	int fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (write(fd, bytes.p, bytes.len) != (ssize_t)bytes.len)
		ok(false, "%s is written", name);
	close(fd);
}

static void read_file(const char *name, struct buf *b)
{
	int fd = openat(directory, name, O_RDONLY);
	ssize_t n;

	buf_clear(b);
	while (fd >= 0 && (n = read(fd, buf_room(b, 65536), 65536)) > 0)
		buf_added(b, (size_t)n);
	close(fd);
}

static bool exists(const char *name)
{
	return faccessat(directory, name, F_OK, 0) == 0;
}

/* Appends a message as the owner does, and says where it is. */
static struct message append(struct buf *mbox, uint32_t uid, struct str text, const char *sender)
{
	struct message m = { .uid = uid, .clock = uid, .date = 1795412443 + uid, .offset = buf_len(mbox) };
	struct mbox_base base = { 77, uid, 0xab, 1, 0, 0 };
	struct form f = { .rule = FORM_STRICT };

	mbox_prefix(mbox, &m, str_of(sender), &words, m.offset ? NULL : &base);
	m.prefix = (uint32_t)(buf_len(mbox) - m.offset);
	if (form_feed(&f, text, mbox) || form_end(&f, mbox))
		ok(false, "message %u is encoded", uid);
	m.stored = (uint32_t)f.size.stored;
	m.wire = (uint32_t)f.size.wire;
	m.header = (uint32_t)f.size.header;
	form_free(&f);
	buf_add_str(mbox, STR(MBOX_TAIL));
	return m;
}

/* Runs it to its end; how many steps it took. */
static unsigned run(struct generation *g, enum err *e)
{
	bool done = false;
	unsigned steps = 0;

	for (*e = OK; !*e && !done; steps++)
		*e = generation_step(g, &done);
	return steps;
}

/* What scanning the new file finds. */
struct found {
	struct message m[20];
	size_t count;
	struct mbox_base base;
};

static void on_base(void *user, const struct mbox_base *base, struct keywords *k)
{
	(void)k;
	((struct found *)user)->base = *base;
}

static void on_message(void *user, const struct message *m)
{
	struct found *f = user;

	f->m[f->count++] = *m;
}

static bool same(const struct message *a, const struct message *b)
{
	return a->uid == b->uid && a->flags == b->flags && a->keywords == b->keywords && a->clock == b->clock &&
	       a->offset == b->offset && a->prefix == b->prefix && a->stored == b->stored && a->wire == b->wire &&
	       a->header == b->header && a->date == b->date;
}

static void scan(struct str mbox, struct found *f, struct keywords *k)
{
	static const struct mbox_scan_events events = { on_base, on_message, false, NULL };
	struct mbox_scan *s = mbox_scan_new(0, k, &events, f);

	*f = (struct found){ 0 };
	if (mbox_scan_feed(s, mbox) || mbox_scan_end(s))
		ok(false, "the new mbox is one");
	mbox_scan_free(s);
}

static void test_generation(void)
{
	struct state_head head = { 0xab, 1, 77, 9, 1234, false };
	struct buf mbox = { 0 }, new = { 0 }, state = { 0 }, large = { 0 };
	struct message all[7], kept[5];
	struct generation *g;
	struct generation_result r;
	struct keywords k = { 0 };
	struct found f;
	bool good = true;
	unsigned steps;
	enum err e;

	buf_add_str(&large, STR("A: b\r\n\r\n"));
	while (buf_len(&large) < LARGE)
		buf_add_str(&large, STR("From the first line to the last it is quoted\r\n"));
	all[0] = append(&mbox, 1, STR("A: gone\r\n"), "x@y");
	all[1] = append(&mbox, 2, STR("A: b\r\n\r\nFrom c\r\n"), "alice@example.test");
	all[2] = append(&mbox, 3, buf_str(&large), "bob@example.test");
	all[3] = append(&mbox, 4, STR(""), "");
	all[4] = append(&mbox, 5, STR("A: gone\r\n"), "x@y");
	all[5] = append(&mbox, 6, STR("\r\n\r\n"), "a b");
	all[6] = append(&mbox, 8, STR(" A\r\n"), "z");
	memcpy(kept, (struct message[]){ all[1], all[2], all[3], all[5], all[6] }, sizeof(kept));
	for (int i = 0; i < 5; i++) {
		kept[i].flags = (uint32_t)(7 * i) & FLAG_SYSTEM;
		kept[i].keywords = (uint64_t)i & 3;
		kept[i].clock += 1000;
	}
	if (mkdirat(directory, "d", 0700))
		ok(false, "a directory is made");
	write_file("d/a.mbox", buf_str(&mbox));
	write_file("d/a.mbox.2", STR("what a crash left, and more"));
	ok(!generation_new(&g, directory, STR("d/a"), &head, false, &words, kept, 5), "a generation is begun");
	steps = run(g, &e);
	ok(!e && steps == 1, "and written");
	generation_result(g, &r);
	read_file("d/a.mbox.2", &new);
	read_file("d/a.state.2", &state);
	ok(buf_len(&new) == r.mbox_end && buf_len(&state) == r.state_end, "the files are as long as it says");
	ok(str_eq(buf_str(&state), STR("postern-state 1 id=ab generation=2 uidvalidity=77 uidnext=9 clock=1234\n")) &&
			r.head.generation == 2,
		"the state file is one line, of the next generation");
	scan(buf_str(&new), &f, &k);
	ok(f.count == 5 && f.base.uidvalidity == 77 && f.base.last_uid == 8 && f.base.id == 0xab &&
			f.base.generation == 2,
		"the new mbox has five messages and its base");
	for (int i = 0; good && i < 5; i++) {
		struct message *m = &f.m[i];

		good = same(m, &r.messages[i]) && m->uid == kept[i].uid && m->flags == kept[i].flags &&
		       m->keywords == kept[i].keywords && m->clock == kept[i].clock && m->date == kept[i].date &&
		       m->wire == kept[i].wire && m->header == kept[i].header && m->stored == kept[i].stored &&
		       !memcmp(buf_data(&new) + m->offset + m->prefix,
			       buf_data(&mbox) + kept[i].offset + kept[i].prefix, m->stored);
	}
	ok(good, "each at the place that it tells, with its flags of now and its text as it was");
	ok(str_starts(buf_str(&new), STR("From alice@example.test Mon Nov 23 05:40:45 2026\nX-IMAPbase: 77 0000000008 "
					 "$Forwarded work\nX-UID: 2\n")) &&
			memmem(buf_data(&new), buf_len(&new), "From MAILER-DAEMON ", 19),
		"who sent it is still there");
	generation_free(g);
	ok(exists("d/a.mbox.2") && exists("d/a.state.2"), "what is done stays");
	buf_free(&mbox);
	buf_free(&new);
	buf_free(&state);
	buf_free(&large);
}

static void test_slices(void)
{
	struct state_head head = { 1, 1, 77, 1000, 5, false };
	struct buf mbox = { 0 }, new = { 0 }, text = { 0 };
	struct message m[12];
	struct generation *g;
	struct generation_result r;
	struct keywords k = { 0 };
	struct found f;
	unsigned steps;
	bool done;
	enum err e;

	for (int i = 0; i < 20000; i++)
		buf_add_str(&text,
			STR("a line of a message that is not small and not large, for there are many of them\r\n"));
	for (uint32_t i = 0; i < 12; i++)
		m[i] = append(&mbox, i + 1, buf_str(&text), "a@b");
	write_file("s.mbox", buf_str(&mbox));
	generation_new(&g, directory, STR("s"), &head, false, &words, m, 12);
	steps = run(g, &e);
	ok(!e && steps == 3, "19 MB take %u steps", steps);
	generation_result(g, &r);
	read_file("s.mbox.2", &new);
	scan(buf_str(&new), &f, &k);
	ok(f.count == 12 && same(&f.m[11], &r.messages[11]) && r.mbox_end == buf_len(&new), "all is there then");
	generation_free(g);
	generation_new(&g, directory, STR("s"), &head, false, &words, m, 12);
	ok(!generation_step(g, &done) && !done && exists("s.mbox.2"), "one may be given up on the way");
	generation_free(g);
	ok(!exists("s.mbox.2") && !exists("s.state.2"), "then nothing is left of it");
	buf_free(&mbox);
	buf_free(&new);
	buf_free(&text);
}

static void test_empty(void)
{
	struct state_head head = { 1, 5, 77, 1000, 5, false };
	struct generation *g;
	struct generation_result r;
	struct buf b = { 0 };
	enum err e;

	write_file("e.mbox", STR("what was there"));
	ok(!generation_new(&g, directory, STR("e"), &head, false, &words, NULL, 0),
		"a mailbox whose last message went");
	run(g, &e);
	generation_result(g, &r);
	read_file("e.mbox.6", &b);
	ok(!e && !r.mbox_end && exists("e.mbox.6") && !buf_len(&b), "is an empty file");
	read_file("e.state.6", &b);
	ok(str_eq(buf_str(&b), STR("postern-state 1 id=1 generation=6 uidvalidity=77 uidnext=1000 clock=5\n")),
		"and a state file that keeps what must not be forgotten");
	generation_free(g);
	buf_free(&b);
}

/* A foreign mbox gets our fields, and the line end that its last message lacks. */
static void test_foreign(void)
{
	static const char mbox[] =
		"From A B Thu Jan  1 00:00:07 1970\nA: b\n\nc\n\nFrom d Thu Jan  1 00:00:07 1970\nA: no end";
	static const char want[] =
		"From A_B Thu Jan  1 00:00:07 1970\nX-IMAPbase: 77 0000000002 $Forwarded work\nX-UID: 1\n"
		"X-Postern: clock=0 id=1 generation=1 version=1\nA: b\n\nc\n\n"
		"From d Thu Jan  1 00:00:07 1970\nX-UID: 2\nX-Postern: clock=0\nA: no end\n\n";
	struct state_head head = { 1, 0, 77, 3, 0, false };
	struct keywords k = { 0 };
	struct generation *g;
	struct generation_result r;
	struct buf new = { 0 };
	struct found f, again;
	enum err e;

	write_file("f.mbox", STR(mbox));
	scan(STR(mbox), &f, &k);
	f.m[0].uid = 1;
	f.m[1].uid = 2;
	generation_new(&g, directory, STR("f"), &head, false, &words, f.m, f.count);
	run(g, &e);
	generation_result(g, &r);
	read_file("f.mbox.1", &new);
	ok(!e && str_eq(buf_str(&new), STR(want)), "a foreign mbox becomes ours");
	scan(buf_str(&new), &again, &k);
	ok(again.count == 2 && same(&again.m[0], &r.messages[0]) && same(&again.m[1], &r.messages[1]),
		"and is read as it is told");
	generation_free(g);
	buf_free(&new);
}

/* Bytes that are no message are in no new generation, but they are not lost. */
static void test_damaged(void)
{
	struct state_head head = { 1, 1, 77, 3, 5, false };
	struct keywords k = { 0 };
	struct buf mbox = { 0 }, kept = { 0 };
	struct generation *g;
	struct found f;
	enum err e;

	append(&mbox, 1, STR("A: lost\r\n"), "a@b");
	append(&mbox, 2, STR("A: b\r\n"), "a@b");
	buf_data(&mbox)[0] = 'X';
	write_file("d.mbox", buf_str(&mbox));
	scan(buf_str(&mbox), &f, &k);
	e = generation_new(&g, directory, STR("d"), &head, false, &words, f.m, f.count);
	if (!e)
		run(g, &e);
	read_file("d.mbox.damaged.2", &kept);
	ok(!e && f.count == 1 && str_eq(buf_str(&kept), buf_str(&mbox)), "an mbox whose beginning is damaged is kept");
	generation_free(g);
	buf_free(&mbox);
	buf_free(&kept);
}

static void test_refused(void)
{
	struct state_head head = { 1, 1, 77, 1000, 5, false };
	struct buf mbox = { 0 }, large = { 0 };
	struct message m, wrong;
	struct generation *g;
	enum err e;

	m = (struct message){ .uid = 1 };
	ok(generation_new(&g, directory, STR("none"), &head, false, &words, &m, 1) == ERR_ABSENT && !g,
		"messages of no mbox have no next one");
	while (buf_len(&large) < LARGE)
		buf_add_str(&large, STR("a line of text\r\n"));
	m = append(&mbox, 5, buf_str(&large), "a@b");
	for (int kind = 0; kind < 5; kind++) {
		static const char *const what[] = { "of another UID", "at another place", "longer than the file",
			"with a prefix beyond measure", "that begins behind its end" };

		wrong = m;
		wrong.uid += kind == 0;
		wrong.offset += kind == 1;
		wrong.stored += kind == 2 ? 2 : 0;
		wrong.prefix += kind == 3 ? 70000 : 0;
		wrong.offset += kind == 4 ? 2 * LARGE : 0;
		write_file("w.mbox", buf_str(&mbox));
		generation_new(&g, directory, STR("w"), &head, false, &words, &wrong, 1);
		run(g, &e);
		generation_free(g);
		ok(e == ERR_NEVER && !exists("w.mbox.2") && !exists("w.state.2"), "a message %s stops it", what[kind]);
	}
	generation_new(&g, directory, STR("w"), &head, false, &words, &m, 1);
	write_file("w.mbox", str_cut(buf_str(&mbox), 0, 1000000));
	run(g, &e);
	generation_free(g);
	ok(e == ERR_NEVER && !exists("w.mbox.2"), "so does a file that is cut off meanwhile");
	if (mkdirat(directory, "v.mbox.2", 0700))
		ok(false, "a directory is made");
	write_file("v.mbox", STR(""));
	ok(generation_new(&g, directory, STR("v"), &head, false, &words, NULL, 0) == ERR_AGAIN && !g &&
			exists("v.mbox"),
		"where no file can be made there is none for now");
	buf_free(&mbox);
	buf_free(&large);
}

int main(void)
{
	int null = open("/dev/null", O_WRONLY);

	log_to(null);
	directory = scratch_open();
	test_generation();
	test_slices();
	test_empty();
	test_foreign();
	test_damaged();
	test_refused();
	scratch_close(directory);
	close(null);
	return done();
}
