/* Any bytes as lines of a queue's state file: what is read can be written, and written it reads the same. */
#include "storage/queue/fate_form.h"
#include <assert.h>

static void check_line(struct str line)
{
	struct fate f, g;
	struct arena a = { 0 };
	struct buf out = { 0 };

	if (fate_read(line, &f, &a) == FATE_WELL) {
		struct queue_change c = { .fate = f.kind == FATE_LINE_HELD ? FATE_HELD : FATE_WAITS,
			.next_s = f.next_s,
			.tries = f.tries,
			.warned_s = f.warned_s,
			.to = f.to,
			.status = f.status,
			.reply = f.reply,
			.remote = f.remote };

		assert(f.first <= f.last && f.reply.len <= FATE_REPLY_MAX && f.remote.len <= FATE_REMOTE_MAX);
		if (f.kind == FATE_LINE_MOVED)
			fate_print_moved(&out, f.id);
		else if (f.kind == FATE_LINE_ENDED)
			fate_print_ended(&out, f.id, f.first, f.last);
		else
			fate_print(&out, f.id, f.first, &c);
		assert(buf_len(&out) <= FATE_LINE_MAX && str_find(buf_str(&out), '\n') == (ptrdiff_t)buf_len(&out) - 1);
		assert(fate_read(str_cut(buf_str(&out), 0, buf_len(&out) - 1), &g, &a) == FATE_WELL);
		assert(g.kind == f.kind && g.id == f.id && g.first == f.first && g.last == f.last);
		assert(f.kind > FATE_LINE_HELD ||
			(g.next_s == f.next_s && g.tries == f.tries && g.warned_s == f.warned_s && str_eq(g.to, f.to)));
		assert(f.kind > FATE_LINE_HELD || (str_eq(g.status, f.status) && str_eq(g.reply, f.reply)));
		assert(f.kind > FATE_LINE_HELD || str_eq(g.remote, f.remote));
	}
	buf_free(&out);
	arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct str left = { (const char *)bytes, size };

	while (left.len) {
		ptrdiff_t lf = str_find(left, '\n');
		size_t end = lf < 0 ? left.len : (size_t)lf;

		check_line(str_cut(left, 0, end));
		left = str_cut(left, lf < 0 ? end : end + 1, left.len);
	}
	return 0;
}
