/* The queue where things go wrong: files that are damaged or forged, envelopes that cannot be, a journal that fails. */
#include "storage/mailbox/mbox.h"
#include "storage/queue/parts.h"
#include "t/queue_files.h"

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
	static const struct mbox_scan_events events = { on_nothing, on_counted, false, NULL };
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

/* --- very many ------------------------------------------------------------------------------------------------------- */

#define RECIPIENTS 500 /* more than are dealt with in one go */

static void test_long_list(void)
{
	struct queue_recipient to[RECIPIENTS];
	struct queue_envelope e = { .recipients = to, .count = RECIPIENTS, .arrived_s = NOW_S };
	struct queue_item *ends[1];
	struct queue_put p = { .envelope = &e, .bytes = STR(TEXT), .before = STR("X-Before: it\n"), .ends = ends };
	struct queue_copy *c;
	uint64_t id;

	fresh();
	conf_set_text("queue", "recipients", "1000");
	queue_reload(w);
	put_to(w, "a@far.test", TEXT);
	id = put_id;
	ends[0] = item_of(w, id, 0);
	p.end_count = 1;
	for (unsigned i = 0; i < RECIPIENTS; i++)
		to[i] = (struct queue_recipient){ .number = i, .address = STR("b@far.test") };
	call_cancel(queue_put(w->queue, &p, on_put, NULL));
	turn_for(50);
	ok(queue_totals(w->queue).messages == 1 && item_of(w, id, 0)->state == ITEM_WAITS,
		"a put of very many that is given up at once is none, and what it was to end waits as before");
	to[RECIPIENTS - 1].address = STR("line\nend@far.test");
	ok(put(w, &p) == ERR_MISTAKE && item_of(w, id, 0)->state == ITEM_WAITS,
		"so it is if what cannot be written comes late in it");
	to[RECIPIENTS - 1].address = STR("last@far.test");
	ok(!put(w, &p) && !queue_find(w->queue, id) && queue_totals(w->queue).items == RECIPIENTS,
		"one of very many is put whole, and ends what it is to end");
	stop_all();
	begin_again(1);
	c = open_message(w, put_id);
	ok(c && c->envelope.count == RECIPIENTS && str_eq(read_copy(c), STR("X-Before: it\n" TEXT)) &&
			str_eq(c->envelope.recipients[RECIPIENTS - 1].address, STR("last@far.test")),
		"and is read as it was put");
	queue_copy_free(c);
	end_all();
}

static struct queue_copy *readers[UINT16_MAX];
static size_t reader_count, put_off;

static void on_reader(void *user, enum err e, struct queue_copy *c)
{
	(void)user;
	put_off += e == ERR_AGAIN;
	if (!e)
		readers[reader_count++] = c;
}

/* As many as can be counted. */
static void test_readers(void)
{
	fresh();
	put_to(w, "a@far.test", TEXT);
	turn_for(50);
	queue_copy_free(open_message(w, put_id)); /* so that the file is open, and warm */
	for (unsigned i = 0; i <= UINT16_MAX; i++)
		queue_open(w->queue, queue_find(w->queue, put_id), on_reader, NULL);
	TURN_UNTIL(reader_count + put_off > UINT16_MAX);
	ok(reader_count == UINT16_MAX && put_off == 1, "one reader more than a message bears is put off");
	while (reader_count)
		queue_copy_free(readers[--reader_count]);
	ok(!queue_find(w->queue, put_id)->users, "and in the end nobody reads it");
	end_all();
}

int main(void)
{
	log_to_nothing();
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
	test_long_list();
	test_readers();
	queue_test_end();
	return done();
}
