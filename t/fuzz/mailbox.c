/* Any bytes as the two files of a mailbox, together: whatever they hold, what is told of them is a mailbox. Input: two bytes
 * of length, so many bytes of the state file, the rest is the mbox. */
#include "storage/mailbox/mailbox.h"
#include "t/fuzz/folder.h"
#include <assert.h>

#define BYTES_MAX (64u << 10)

static enum err scan(struct mailbox_scan *s)
{
	*s = (struct mailbox_scan){ .directory = folder, .stem = "m", .mbox_max = UINT64_MAX, .state_max = UINT64_MAX };
	return mailbox_scan_files(s);
}

static void check(const struct mailbox_scan *s, struct str mbox, struct str state)
{
	const struct mailbox_record *r = &s->r;
	uint32_t messages = 0;

	for (size_t i = 0; i < s->count; i++) {
		const struct message *m = &s->messages[i];
		struct str head = str_cut(mbox, m->offset, mbox.len);

		assert(m->uid && (!i || m->uid > m[-1].uid) && m->uid < r->head.uidnext);
		assert(m->offset + m->prefix + m->stored <= mbox.len + 1 && m->header <= m->stored);
		assert(m->clock <= r->head.clock && mbox_is_message(head, m));
		messages += !(m->flags & FLAG_EXPUNGED);
	}
	assert(r->messages == messages && r->unseen <= messages && r->deleted <= messages);
	assert(r->mbox_end <= mbox.len + 2 && r->state_end <= state.len && r->garbage <= r->mbox_end);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct mailbox_scan s, again;
	struct str state, mbox;
	size_t length;

	if (size < 2 || size > BYTES_MAX)
		return 0;
	folder_begin();
	length = (size_t)(bytes[0] | bytes[1] << 8);
	length = length < size - 2 ? length : size - 2;
	state = (struct str){ (const char *)bytes + 2, length };
	mbox = (struct str){ state.p + length, size - 2 - length };
	folder_put("m.state", state);
	folder_put("m.mbox", mbox);
	if (!scan(&s)) {
		check(&s, mbox, state);
		assert(!scan(&again) && again.count == s.count && again.r.head.uidnext == s.r.head.uidnext);
		mailbox_scan_free(&again);
	}
	mailbox_scan_free(&s);
	return 0;
}
