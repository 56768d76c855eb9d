/* The queue where things go wrong or meet: files that are damaged or forged, a journal that fails, limits, segments
 * that come and go, directories of workers that are no more. */
#include "storage/mbox.h"
#include "storage/queue/parts.h"
#include "t/queue.h"
#include <dirent.h>

#define TEXT "Subject: hello\n\nbody\n"

static struct worker *w = &workers[0];

/* --- files ------------------------------------------------------------------------------------------------------------ */

static const char *path_of(unsigned directory, const char *name)
{
	static char path[300];

	snprintf(path, sizeof(path), "%s/queue/%u/%s", scratch_path, directory, name);
	return path;
}

/* Names in the directory that end so, sorted, with a space behind each. */
static const char *names_of(unsigned directory, const char *suffix)
{
	static struct buf names;
	struct dirent **list;
	int count = scandir(path_of(directory, ""), &list, NULL, alphasort);

	buf_clear(&names);
	for (int i = 0; i < count; i++) {
		struct str name = str_of(list[i]->d_name);

		if (name.len > strlen(suffix) && !strcmp(name.p + name.len - strlen(suffix), suffix))
			buf_printf(&names, "%s ", name.p);
		free(list[i]);
	}
	if (count >= 0)
		free(list);
	buf_add_char(&names, '\0');
	return buf_data(&names);
}

/* The first file of that suffix in worker 0's directory. */
static const char *first_file(const char *suffix)
{
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(names_of(0, suffix), " "), names_of(0, suffix));
	return path_of(0, name);
}

static struct buf file_text(const char *path)
{
	struct buf b = { 0 };
	FILE *f = fopen(path, "r");
	size_t n = 1;

	while (f && n) {
		n = fread(buf_room(&b, 4096), 1, 4096, f);
		buf_added(&b, n);
	}
	if (f)
		fclose(f);
	return b;
}

static void file_write(const char *path, struct str bytes)
{
	FILE *f = fopen(path, "w");

	if (!f || fwrite(bytes.p, 1, bytes.len, f) != bytes.len)
		abort();
	fclose(f);
}

static void file_add(const char *path, const char *text)
{
	FILE *f = fopen(path, "a");

	if (!f || fputs(text, f) < 0)
		abort();
	fclose(f);
}

/* Puts `with` in the place of the first `from` in the file. */
static void file_replace(const char *path, const char *from, const char *with)
{
	struct buf b = file_text(path), out = { 0 };
	char *at = memmem(buf_data(&b), buf_len(&b), from, strlen(from));

	if (!at)
		abort();
	buf_add(&out, buf_data(&b), (size_t)(at - buf_data(&b)));
	buf_add_str(&out, str_of(with));
	buf_add(&out, at + strlen(from), buf_len(&b) - (size_t)(at - buf_data(&b)) - strlen(from));
	file_write(path, buf_str(&out));
	buf_free(&b);
	buf_free(&out);
}

static void end_all(void)
{
	for (struct queue_message *m = queue_after(w->queue, 0); m; m = queue_after(w->queue, m->id))
		for (uint32_t i = 0; i < m->count; i++)
			if (m->items[i].message && m->items[i].state != ITEM_CLOSING)
				change(w, &m->items[i], FATE_ENDED, 0);
	TURN_UNTIL(!queue_totals(w->queue).messages);
	buf_clear(&heard);
}

/* A store's queue of one worker, stopped, to do things to its files; begun() goes on with it. */
static void stop_all(void)
{
	queues_end();
}

static void begin_again(unsigned count)
{
	buf_clear(&heard);
	start(count);
	queues_begin();
	queues_read();
}

/* All that the worker has is gone, files and all. */
static void fresh(void)
{
	struct dirent **list;
	int count;

	end_all();
	stop_all();
	count = scandir(path_of(0, ""), &list, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		unlink(path_of(0, list[i]->d_name));
		free(list[i]);
	}
	if (count >= 0)
		free(list);
	begin_again(1);
}

/* --- envelopes -------------------------------------------------------------------------------------------------------- */

static void test_envelope(void)
{
	struct queue_recipient to[2] = {
		{ .address = STR("bob%20@far.test"),
			.original = STR("Bob <b=o>@alias.test"),
			.orcpt = STR("rfc822;b+3Db@x"),
			.notify = NOTIFY_SUCCESS | NOTIFY_DELAY },
		{ .address = STR("d\xc3\xb6rte@example.test"),
			.local = true,
			.notify = NOTIFY_NEVER,
			.tried = { UINT64_MAX, 0xc000000000000001 } },
	};
	struct queue_envelope e = { .sender = STR(""),
		.id = STR("0-2f.1"),
		.account = STR("alice@example.test"),
		.peer = STR("2001:db8::1"),
		.envid = STR("QQ+3D"),
		.body = BODY_BINARYMIME,
		.utf8 = true,
		.utf8_needed = true,
		.ret = RET_HDRS,
		.priority = -7,
		.arrived_s = NOW_S,
		.release_s = NOW_S + 50,
		.by_s = NOW_S + 99,
		.by = BY_NOTIFY,
		.by_trace = true,
		.held = true,
		.recipients = to,
		.count = 2 };
	struct queue_put p = { .envelope = &e, .before = STR("Received: x\n"), .bytes = STR(TEXT ">From me\n") };
	struct queue_copy *c;
	const struct queue_envelope *f;
	bool same;

	ok(!put(w, &p), "an envelope with everything in it");
	ok(queue_totals(w->queue).held == 2 && item_of(w, put_id, 0)->state == ITEM_HELD &&
			item_of(w, put_id, 0)->next_s == NOW_S + 50 && queue_find(w->queue, put_id)->null_sender,
		"is held until it is released, and not before its time");
	restart(1);
	c = open_message(w, put_id);
	f = &c->envelope;
	same = !f->sender.len && str_eq(f->id, e.id) && str_eq(f->account, e.account) && str_eq(f->peer, e.peer) &&
	       str_eq(f->envid, e.envid) && f->body == e.body && f->utf8 && f->utf8_needed && f->ret == e.ret &&
	       f->priority == -7 && f->arrived_s == e.arrived_s && f->release_s == e.release_s && f->by_s == e.by_s &&
	       f->by == e.by && f->by_trace && f->held;
	ok(same, "all of it is there after a restart");
	for (unsigned i = 0; i < 2; i++)
		same &= str_eq(f->recipients[i].address, to[i].address) && f->recipients[i].number == i &&
		        str_eq(f->recipients[i].original, to[i].original) && f->recipients[i].local == to[i].local &&
		        str_eq(f->recipients[i].orcpt, to[i].orcpt) && f->recipients[i].notify == to[i].notify &&
		        f->recipients[i].tried.life == to[i].tried.life &&
		        f->recipients[i].tried.number == to[i].tried.number;
	ok(same, "with its recipients");
	ok(str_eq(read_copy(c), STR("Received: x\n" TEXT ">From me\n")) && c->header == 28 &&
			c->wire == c->stored + 5 - 1,
		"lines before it are its header's, and its size on the wire is known");
	queue_copy_free(c);
	change(w, item_of(w, put_id, 1), FATE_WAITS, NOW_S + 60);
	restart(1);
	ok(item_of(w, put_id, 0)->state == ITEM_HELD && item_of(w, put_id, 1)->state == ITEM_WAITS &&
			queue_totals(w->queue).held == 1,
		"what was released stays so");
	end_all();
}

static void test_refused(void)
{
	struct queue_recipient to[3] = { { .address = STR("a@b.test") }, { .address = STR("a@b.test\nX: y") } };
	struct queue_envelope e = { .sender = STR("alice@example.test"), .recipients = to, .count = 2 };
	struct queue_put p = { .envelope = &e, .bytes = STR(TEXT) };

	ok(put(w, &p) == ERR_MISTAKE, "a control character in an envelope is refused");
	conf_set_text("queue", "recipients", "2");
	queue_reload(w);
	to[1].address = STR("b@b.test");
	ok(!put(w, &p), "as many recipients as allowed");
	e.count = 3;
	ok(put(w, &p) == ERR_TOO_BIG, "and not one more");
	e.count = 2;
	conf_set_text("queue", "recipients", "100");
	conf_set_text("queue", "messages", "2");
	queue_reload(w);
	ok(!put(w, &p) && put(w, &p) == ERR_AGAIN && queue_room(w->queue, 1) == ERR_AGAIN,
		"no more messages than allowed, for now");
	end_all();
	ok(!queue_room(w->queue, 1) && !put(w, &p), "and again when there is room");
	conf_set_text("queue", "messages", "2000000");
	queue_reload(w);
	end_all();
}

static void test_null_arrival(void)
{
	struct queue_recipient to = { .address = STR("a@b.test") };
	struct queue_envelope e = { .recipients = &to, .count = 1 };
	struct queue_put p = { .envelope = &e, .bytes = STR("no header") };

	p.bytes = STR("no header\n");
	ok(!put(w, &p) && queue_find(w->queue, put_id)->arrived_s + 100 > (uint64_t)time(NULL),
		"without an arrival it arrives now");
	end_all();
}

/* --- puts ------------------------------------------------------------------------------------------------------------- */

static void test_ends(void)
{
	struct queue_recipient to = { .address = STR("alice@example.test") };
	struct queue_envelope e = { .recipients = &to, .count = 1, .arrived_s = NOW_S };
	struct queue_item *ends[2];
	struct queue_put p = { .envelope = &e, .bytes = STR(TEXT), .ends = ends, .end_count = 2 };
	uint64_t id;
	char expected[200];

	put_to(w, "a@far.test b@far.test c@far.test", TEXT);
	id = put_id;
	change(w, item_of(w, id, 0), FATE_WAITS, NOW_S + 5);
	ends[0] = item_of(w, id, 0);
	ends[1] = item_of(w, id, 2);
	buf_clear(&heard);
	ok(!put(w, &p) && !item_of(w, id, 0) && item_of(w, id, 1) && !item_of(w, id, 2),
		"a put ends items of another message");
	snprintf(expected, sizeof(expected), "-%s.0 ", id_text(id));
	ok(str_starts(buf_str(&heard), str_of(expected)), "which close");
	stop_all();
	begin_again(1);
	ok(queue_totals(w->queue).items == 2 && item_of(w, id, 1) && item_of(w, put_id, 0), "durably");
	ends[0] = item_of(w, id, 1);
	p.end_count = 1;
	ok(!put(w, &p) && !queue_find(w->queue, id), "a message whose last item a put ends is gone");
	end_all();
}

static void test_file(void)
{
	struct queue_recipient to = { .address = STR("a@far.test") };
	struct queue_envelope e = { .recipients = &to, .count = 1, .arrived_s = NOW_S };
	struct queue_put p = { .envelope = &e, .before = STR("Received: y\n") };
	struct buf wire = { 0 };
	struct queue_copy *c;
	struct call *call;

	buf_add_str(&wire, STR("Subject: long\r\n\r\n"));
	while (buf_len(&wire) < 600000)
		buf_printf(&wire, "line at %zu\r\n", buf_len(&wire));
	asker = w;
	p.draft = draft_of(buf_str(&wire));
	ok(draft_file(p.draft).len && !put(w, &p), "a message in a file is put");
	draft_free(p.draft);
	restart(1);
	c = open_message(w, put_id);
	ok(c && c->wire == buf_len(&wire) + 13 && read_copy(c).len == c->stored, "and is whole after a restart");
	queue_copy_free(c);
	p.draft = draft_of(buf_str(&wire));
	call = queue_put(w->queue, &p, on_put, NULL);
	call_cancel(call);
	draft_free(p.draft);
	TURN_UNTIL(queue_totals(w->queue).messages == 2);
	ok(queue_totals(w->queue).messages == 2, "a cancelled put is put all the same, even if its draft is freed");
	p.draft = NULL;
	p.bytes = STR(TEXT);
	call_cancel(queue_put(w->queue, &p, on_put, NULL));
	TURN_UNTIL(queue_totals(w->queue).messages == 3);
	ok(queue_totals(w->queue).messages == 3, "so is one in memory");
	buf_free(&wire);
	end_all();
}

/* --- a journal that fails --------------------------------------------------------------------------------------------- */

/* What is written to the journal from now on fails, until it makes itself a new segment. */
static void journal_break(void)
{
	int bad = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char below[64];

	snprintf(below, sizeof(below), "%s/journal/0/segment", scratch_path);
	for (int fd = 3; fd < 256; fd++) {
		char link[64], path[256] = "";

		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		if (readlink(link, path, sizeof(path) - 1) > 0 && !strncmp(path, below, strlen(below)))
			dup2(bad, fd);
	}
	close(bad);
}

static bool done_flags[4];
static enum err done_errors[4];

static void on_flag(void *user, enum err e, uint64_t id)
{
	size_t place = (size_t)(uintptr_t)user;

	(void)id;
	done_flags[place] = true;
	done_errors[place] = e;
}

static void test_failure(void)
{
	struct queue_recipient to = { .address = STR("x@far.test") };
	struct queue_envelope e = { .recipients = &to, .count = 1, .arrived_s = NOW_S };
	struct queue_item *ends[1];
	struct queue_put p = { .envelope = &e, .bytes = STR(TEXT) };
	uint64_t id;

	put_to(w, "a@far.test b@far.test c@far.test d@far.test", TEXT);
	id = put_id;
	turn_for(20);
	journal_break();
	queue_put(w->queue, &p, on_flag, (void *)0);
	ends[0] = item_of(w, id, 3);
	p.ends = ends;
	p.end_count = 1;
	queue_put(w->queue, &p, on_flag, (void *)1);
	change(w, item_of(w, id, 0), FATE_WAITS, NOW_S + 77);
	change(w, item_of(w, id, 1), FATE_ENDED, 0);
	wait_for(&done_flags[0]);
	wait_for(&done_flags[1]);
	ok(done_errors[0] == ERR_AGAIN && done_errors[1] == ERR_AGAIN, "puts fail with the journal");
	ok(item_of(w, id, 3) && item_of(w, id, 3)->state == ITEM_WAITS, "what one would have ended is as it was");
	ok(!item_of(w, id, 1) || item_of(w, id, 1)->state == ITEM_CLOSING, "what ended is not tried again");
	TURN_UNTIL(!item_of(w, id, 1));
	ok(!item_of(w, id, 1) && item_of(w, id, 0)->next_s == NOW_S + 77, "its end is written when that can be");
	p.ends = NULL;
	p.end_count = 0;
	ok(!put(w, &p), "and puts are taken again");
	restart(1);
	ok(queue_totals(w->queue).messages == 2 && !item_of(w, id, 1) && item_of(w, id, 0)->next_s == NOW_S + 77 &&
			item_of(w, id, 3) && item_of(w, put_id, 0),
		"so it is after a restart");
	end_all();
}

/* --- files that are not as they were ---------------------------------------------------------------------------------- */

static void test_state_lines(void)
{
	uint64_t id;

	fresh();
	put_to(w, "a@far.test b@far.test", TEXT);
	id = put_id;
	change(w, item_of(w, id, 0), FATE_ENDED, 0);
	TURN_UNTIL(!item_of(w, id, 0));
	stop_all();
	file_add(first_file(".state"), "nonsense\nended q0-ffff 0\nended q9-1 5:1\nwaits ");
	begin_again(1);
	ok(item_of(w, id, 1) && !item_of(w, id, 0), "lines that say nothing cost themselves");
	{
		struct queue_change any = { .fate = FATE_WAITS,
			.next_s = NOW_S + 1234,
			.status = STR("4.2\r\n.2"),
			.reply = STR("\0\xff any\tbytes"),
			.remote = STR("a\nwaits q0-1 0") };

		queue_change(w->queue, item_of(w, id, 1), &any);
	}
	restart(1);
	ok(item_of(w, id, 1)->next_s == NOW_S + 1234, "and a torn one does not spoil the next");
	stop_all();
	file_replace(first_file(".state"), "postern-queue-state 1", "postern-queue-state 2");
	begin_again(1);
	ok(!queue_totals(w->queue).messages, "a state file of a later version keeps its messages back");
	turn_for(1200);
	stop_all();
	file_replace(first_file(".state"), "postern-queue-state 2", "postern-queue-state 1");
	begin_again(1);
	ok(item_of(w, id, 1) != NULL, "until it is understood");
	end_all();
}

static void test_damage(void)
{
	static const char forged[] =
		"X-Postern-Queue: 1 q0-1 bytes=1 stored=1 wire=1 header=1 to=1 crc=00000000\n"
		"X-Postern-To: 0 address=forged@far.test\n\n>From forged@far.test Mon Nov 23 05:40:43 2026\n"
		"X-Postern-Queue: 1 q0-ff bytes=90 stored=1 wire=1 header=1 to=1 crc=00000000\n\nend\n";
	uint64_t ids[4];
	struct queue_copy *c;

	fresh();
	for (unsigned i = 0; i < 4; i++) {
		put_to(w, i == 1 ? "damaged@far.test" : "good@far.test", forged);
		ids[i] = put_id;
	}
	restart(1);
	c = open_message(w, ids[0]);
	ok(c && c->envelope.count == 1 && str_eq(c->envelope.recipients[0].address, STR("good@far.test")) &&
			str_eq(read_copy(c), STR(forged)),
		"lines that look like ours are the message's");
	queue_copy_free(c);
	ok(queue_totals(w->queue).messages == 4, "and begin none");
	stop_all();
	file_replace(first_file(".mbox"), "damaged@far.test\nX", "dAmaged@far.test\nX");
	begin_again(1);
	ok(queue_totals(w->queue).messages == 3 && !queue_find(w->queue, ids[1]) && queue_find(w->queue, ids[2]),
		"an envelope in which a bit has changed costs its message alone");
	stop_all();
	file_replace(first_file(".mbox"), "end\n\nFrom ", "something inserted\n\nFrom ");
	begin_again(1);
	ok(queue_totals(w->queue).messages == 2 || queue_totals(w->queue).messages == 3,
		"bytes inserted cost what they are in");
	ok(queue_find(w->queue, ids[2]) && queue_find(w->queue, ids[3]), "and nothing behind");
	end_all();
	turn_for(1500);
	ok(strlen(names_of(0, ".mbox")) > 0, "a damaged segment is not removed");
	fresh();
}

static void on_nothing(void *user, const struct mbox_base *base, struct keywords *k)
{
	(void)user, (void)base, (void)k;
}

static void on_counted(void *user, const struct message *m)
{
	(void)m;
	++*(unsigned *)user;
}

static void test_readable(void)
{
	static const struct mbox_scan_events events = { on_nothing, on_counted, false };
	struct keywords *words = mem_new(struct keywords);
	unsigned count = 0;
	struct mbox_scan *s = mbox_scan_new(0, words, &events, &count);
	struct buf b;

	fresh();
	put_to(w, "a@far.test", TEXT);
	put_to(w, "a@far.test b@far.test", "Subject: x\n\n>From here\n");
	turn_for(50);
	b = file_text(first_file(".mbox"));
	ok(!mbox_scan_feed(s, buf_str(&b)) && !mbox_scan_end(s) && count == 2, "its file is an mbox as any");
	mbox_scan_free(s);
	free(words);
	buf_free(&b);
	end_all();
}

/* --- segments --------------------------------------------------------------------------------------------------------- */

/* Puts until the files are that long. */
static void put_bytes(struct worker *to, size_t bytes)
{
	static char body[10000];

	memset(body, 'x', sizeof(body) - 2);
	body[sizeof(body) - 2] = '\n';
	for (size_t done = 0; done < bytes; done += sizeof(body))
		put_to(to, "a@far.test", body);
}

static void test_segments(void)
{
	uint64_t last;

	put_bytes(w, 300000);
	turn_for(20);
	ok(strlen(names_of(0, ".mbox")) >= 4 * strlen("000000000001.mbox "), "long queues are of several segments");
	last = put_id;
	end_all();
	TURN_UNTIL(strlen(names_of(0, ".mbox")) <= strlen("000000000001.mbox "));
	ok(strlen(names_of(0, ".mbox")) <= strlen("000000000001.mbox "), "those whose messages are gone are removed");
	restart(1);
	TURN_UNTIL(!strlen(names_of(0, ".mbox")));
	ok(!strlen(names_of(0, ".mbox")), "after a restart the last one, too");
	for (unsigned i = 0; i < 3; i++) {
		restart(1);
		turn_for(1200);
	}
	ok(strlen(names_of(0, ".state")) == strlen("000000000001.state "), "and one name is kept, however often");
	put_to(w, "a@far.test", TEXT);
	ok(put_id > last, "no id is given twice");
	end_all();
}

/* A message that is not durable yet comes into a file whose others are all gone when these are looked for. */
static void test_removed_meanwhile(void)
{
	static char body[2 << 20];
	struct queue_copy *c;
	struct timer tidy;

	conf_set_text("queue", "segment", "64M");
	fresh();
	memset(body, 'x', sizeof(body) - 2);
	body[sizeof(body) - 2] = '\n';
	put_to(w, "a@far.test", body);
	end_all();
	tidy = w->queue->tidy_timer;
	put_soon(w, "b@far.test", TEXT);
	tidy.fire(tidy.user);
	ok(!got_end(), "a message is put while a file that is all gone is removed");
	turn_for(100);
	c = open_message(w, put_id);
	ok(c && str_eq(read_copy(c), STR(TEXT)), "and does not go with it");
	queue_copy_free(c);
	restart(1);
	ok(item_of(w, put_id, 0) != NULL, "it is there after a restart, too");
	end_all();
	conf_set_text("queue", "segment", "64K");
	fresh();
}

static void test_moved(void)
{
	uint64_t before = counted("queue.moved"), ids[5], n = 0;
	struct queue_copy *c;
	struct queue_change told = { .fate = FATE_WAITS,
		.next_s = NOW_S + 9,
		.tries = 2,
		.warned = false,
		.status = STR("4.1.1"),
		.reply = STR("450 later"),
		.remote = STR("mx") };

	for (unsigned i = 0; i < 5; i++) {
		put_to(w, "a@far.test b@far.test", TEXT);
		ids[i] = put_id;
		put_bytes(w, 60000);
	}
	for (struct queue_message *m = queue_after(w->queue, 0); m; m = queue_after(w->queue, m->id)) {
		bool kept = n < 5 && m->id == ids[n];

		n += kept;
		if (!kept)
			change(w, &m->items[0], FATE_ENDED, 0);
	}
	change(w, item_of(w, ids[0], 0), FATE_ENDED, 0);
	queue_change(w->queue, item_of(w, ids[0], 1), &told);
	c = open_message(w, ids[1]);
	TURN_UNTIL(counted("queue.moved") >= before + 4);
	ok(counted("queue.moved") >= before + 4, "few that are left in old segments are moved");
	change(w, item_of(w, ids[1], 0), FATE_ENDED, 0);
	TURN_UNTIL(!item_of(w, ids[1], 0));
	ok(!item_of(w, ids[1], 0) && str_eq(read_copy(c), STR(TEXT)), "one that is open for reading goes on");
	queue_copy_free(c);
	TURN_UNTIL(strlen(names_of(0, ".mbox")) <= 2 * strlen("000000000001.mbox "));
	ok(strlen(names_of(0, ".mbox")) <= 2 * strlen("000000000001.mbox "), "and what they leave is removed");
	restart(1);
	ok(queue_totals(w->queue).messages == 5 && queue_totals(w->queue).items == 8, "all of them are there, once");
	c = open_message(w, ids[0]);
	ok(!item_of(w, ids[0], 0) && item_of(w, ids[0], 1)->tries == 2 &&
			str_eq(c->envelope.recipients[1].reply, STR("450 later")) && str_eq(read_copy(c), STR(TEXT)),
		"with what became of them");
	queue_copy_free(c);
	end_all();
}

static void test_copy_outlives(void)
{
	struct queue_copy *c;

	put_to(w, "a@far.test", TEXT);
	c = open_message(w, put_id);
	end_all();
	ok(c && !c->message && c->id == put_id, "a copy outlives its message");
	put_bytes(w, 150000);
	end_all();
	turn_for(1500);
	ok(str_eq(read_copy(c), STR(TEXT)), "and can be read as long as it is open");
	queue_copy_free(c);
}

static struct queue_copy *early;
static bool early_done;

static void on_early(void *user, enum err e, struct queue_copy *c)
{
	(void)user, (void)e;
	early = c;
	early_done = true;
}

static void open_early(void *user, struct queue_item *item, struct str address, struct str sender)
{
	(void)user, (void)address, (void)sender;
	queue_open(w->queue, item->message, on_early, NULL);
}

static void test_open_early(void)
{
	static const struct queue_listener eager = { open_early, NULL }, usual = { hear_opened, hear_closed };

	queue_listen(w->queue, &eager, NULL);
	put_to(w, "a@far.test", TEXT);
	wait_for(&early_done);
	ok(early && str_eq(read_copy(early), STR(TEXT)), "what just opened can be opened for reading");
	queue_copy_free(early);
	queue_listen(w->queue, &usual, NULL);
	call_cancel(queue_open(w->queue, queue_find(w->queue, put_id), on_early, NULL));
	turn_for(20);
	ok(queue_find(w->queue, put_id)->users == 0, "a cancelled open leaves nothing behind");
	end_all();
}

static void test_shared(void)
{
	struct queue_change told = { .fate = FATE_WAITS,
		.next_s = NOW_S + 9,
		.tries = 2,
		.warned = false,
		.status = STR("4.1.1"),
		.reply = STR("450 later"),
		.remote = STR("mx") };
	struct queue_copy *copies[3] = { 0 };
	struct buf to = { 0 };
	bool same = true;

	for (unsigned i = 0; i < 40; i++)
		buf_printf(&to, "to%u@far.test ", i);
	buf_add_char(&to, '\0');
	put_to(w, buf_data(&to), TEXT);
	turn_for(20);
	call_cancel(queue_open(w->queue, queue_find(w->queue, put_id), on_early, NULL));
	for (unsigned i = 0; i < 2; i++) { /* at the same time */
		early_done = false;
		early = NULL;
		queue_open(w->queue, queue_find(w->queue, put_id), on_early, NULL);
		copies[i] = open_message(w, put_id);
		wait_for(&early_done);
		copies[2] = early;
		same &= copies[i]->envelope.recipients == early->envelope.recipients;
		if (!i)
			queue_copy_free(early);
	}
	ok(same && copies[0]->envelope.count == 40 && str_eq(read_copy(copies[1]), STR(TEXT)),
		"copies of a message of many recipients share an envelope");
	queue_change(w->queue, item_of(w, put_id, 39), &told);
	TURN_UNTIL(copies[0]->envelope.recipients[39].reply.len);
	ok(str_eq(copies[1]->envelope.recipients[39].reply, STR("450 later")) &&
			str_eq(copies[2]->envelope.recipients[39].status, STR("4.1.1")),
		"and are told what becomes of them");
	for (unsigned i = 0; i < 3; i++)
		queue_copy_free(copies[i]);
	copies[0] = open_message(w, put_id);
	ok(str_eq(copies[0]->envelope.recipients[39].reply, STR("450 later")), "as one is that is opened later");
	queue_copy_free(copies[0]);
	buf_free(&to);
	end_all();
}

static void test_taken_over(void)
{
	uint64_t ids[3];

	restart(3);
	for (unsigned i = 0; i < 3; i++) {
		put_to(&workers[i], "a@far.test", TEXT);
		ids[i] = put_id;
	}
	restart(1);
	ok(queue_totals(w->queue).messages == 3 && queue_find(w->queue, ids[2]),
		"queues of workers that are no more are taken over");
	change(w, item_of(w, ids[2], 0), FATE_ENDED, 0);
	TURN_UNTIL(!queue_find(w->queue, ids[2]));
	TURN_UNTIL(!strlen(names_of(2, ".mbox")));
	ok(!strlen(names_of(2, ".mbox")), "and their files go when they are done");
	restart(3);
	ok(!queue_totals(workers[2].queue).messages && queue_find(workers[1].queue, ids[1]),
		"with the workers back each has its own");
	put_to(&workers[2], "a@far.test", TEXT);
	ok(put_id > ids[2], "and gives no id a second time");
	restart(1);
	end_all();
}

int main(void)
{
	if (getenv("VERBOSE"))
		log_set_levels("info");
	else
		log_to(open("/dev/null", O_WRONLY | O_CLOEXEC));
	queue_test_begin(1);
	test_envelope();
	test_refused();
	test_null_arrival();
	test_ends();
	test_file();
	test_failure();
	test_state_lines();
	test_damage();
	test_readable();
	test_segments();
	test_removed_meanwhile();
	test_moved();
	test_copy_outlives();
	test_open_early();
	test_shared();
	test_taken_over();
	queue_test_end();
	return done();
}
