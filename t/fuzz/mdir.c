/* Any bytes as the state file of an mdir and as one of its files: whatever they hold, what is told of them is a mailbox. Input:
 * two bytes of length, so many bytes of the state file, the rest is the file. */
#include "storage/mailbox/mailbox.h"
#include "t/fuzz/folder.h"
#include <assert.h>
#include <sys/stat.h>

#define BYTES_MAX (64u << 10)
#define UID       7
#define PUT_THERE "m.mdir/put-there" /* the same bytes, by somebody else */

static enum err scan(struct mailbox_scan *s, bool adopts)
{
	*s = (struct mailbox_scan){
		.directory = folder, .stem = "m", .mbox_max = UINT64_MAX, .state_max = UINT64_MAX, .adopts = adopts
	};
	return mailbox_scan_files(s);
}

static void check(const struct mailbox_scan *s, struct str file, struct str state)
{
	const struct mailbox_record *r = &s->r;
	uint32_t messages = 0;

	assert(s->count <= 2 && r->mbox_end >= s->count && r->mbox_end <= 2);
	for (size_t i = 0; i < s->count; i++) {
		const struct message *m = &s->messages[i];

		assert((i || m->uid == UID || s->count == 1) && (!i || m->uid > UID) && m->uid < r->head.uidnext);
		assert(!m->offset && (uint64_t)m->prefix + m->stored <= file.len + 1 && m->header <= m->stored);
		assert(m->clock <= r->head.clock && mbox_is_message(file, m));
		messages += !(m->flags & FLAG_EXPUNGED);
	}
	assert(r->messages == messages && r->unseen <= messages && r->deleted <= messages);
	assert(r->state_end <= state.len && r->garbage <= r->mbox_end);
}

static void begin(struct str file, struct str state)
{
	static const struct timespec long_ago[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };

	folder_begin();
	mdir_drop(folder, "m.mdir");
	if (mkdirat(folder, "m.mdir", 0700))
		abort();
	folder_put("m.state", state);
	folder_put("m.mdir/7", file);
	folder_put(PUT_THERE, file);
	if (utimensat(folder, PUT_THERE, long_ago, 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct mailbox_scan s;
	struct str state, file;
	size_t length;

	if (size < 2 || size > BYTES_MAX)
		return 0;
	length = (size_t)(bytes[0] | bytes[1] << 8);
	length = length < size - 2 ? length : size - 2;
	state = (struct str){ (const char *)bytes + 2, length };
	file = (struct str){ state.p + length, size - 2 - length };
	begin(file, state);
	for (int adopts = 0; adopts <= 1; adopts++) {
		if (!scan(&s, adopts))
			check(&s, file, state);
		mailbox_scan_free(&s);
	}
	return 0;
}
