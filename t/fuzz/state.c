/* Any bytes as a state file: what is told can be printed, and printed it tells the same. */
#include "storage/mailbox/state.h"
#include "core/log.h"
#include <assert.h>

struct told {
	struct buf lines;
	struct keywords *k;
};

static void check(const struct uid_range *uids, size_t count)
{
	assert(count && uids[0].first);
	for (size_t i = 0; i < count; i++)
		assert(uids[i].first <= uids[i].last && (!i || uids[i].first > (uint64_t)uids[i - 1].last + 1));
}

static void on_flags(
	void *user, const struct uid_range *uids, size_t count, uint32_t flags, uint64_t keywords, uint64_t clock)
{
	struct told *t = user;

	check(uids, count);
	state_print_flags(&t->lines, uids, count, flags, keywords, t->k, clock);
}

static void on_expunge(void *user, const struct uid_range *uids, size_t count, uint64_t clock)
{
	check(uids, count);
	state_print_expunge(&((struct told *)user)->lines, uids, count, clock);
}

static void on_set(void *user, struct str name, struct str value, uint64_t clock)
{
	state_print_set(&((struct told *)user)->lines, name, value, clock);
}

/* What state_read tells of bytes, as lines again. */
static enum err read(struct str bytes, struct buf *lines, bool complete)
{
	static const struct state_events events = { on_flags, on_expunge, on_set, NULL };
	struct state_head head = { 0 };
	struct keywords k = { 0 };
	struct told t = { .k = &k };
	enum err e;
	size_t took;

	state_print_head(lines, &head);
	took = state_read(bytes, &head, &k, &events, &t, &e);
	assert(e ? !took : took == (size_t)(str_rfind(bytes, '\n') + 1) && (!complete || took == bytes.len));
	buf_clear(lines);
	state_print_head(lines, &head);
	buf_add_str(lines, buf_str(&t.lines));
	buf_free(&t.lines);
	return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static bool quiet;
	struct buf once = { 0 }, twice = { 0 };

	if (!quiet)
		quiet = !log_set_levels("error store=error");
	if (!read((struct str){ (const char *)bytes, size }, &once, false)) {
		assert(!read(buf_str(&once), &twice, true));
		assert(str_eq(buf_str(&once), buf_str(&twice)));
	}
	buf_free(&once);
	buf_free(&twice);
	return 0;
}
