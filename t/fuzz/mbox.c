/* Any bytes as an mbox: however they are cut the same is found, within the file, and decodes to the size that is told. */
#include "storage/mailbox/mbox.h"
#include <assert.h>
#include <stdlib.h>

struct found {
	struct str file;
	struct message *m;
	size_t count;
	struct mbox_base base;
};

static void on_base(void *user, const struct mbox_base *base, struct keywords *k)
{
	struct found *f = user;

	assert(!f->count && k->count <= KEYWORDS_MAX);
	f->base = *base;
}

static void on_message(void *user, const struct message *m)
{
	struct found *f = user;

	f->m = realloc(f->m, (f->count + 1) * sizeof(*m));
	f->m[f->count++] = *m;
}

static bool may_end(void *user, uint64_t at)
{
	const struct found *f = user;

	return at && at <= f->file.len && mbox_may_end(str_cut(f->file, at - 1, f->file.len), true);
}

static enum err scan(struct str file, size_t piece, struct found *f)
{
	static const struct mbox_scan_events events = { on_base, on_message, false, may_end };
	struct keywords k = { 0 };
	struct mbox_scan *s = mbox_scan_new(0, &k, &events, f);
	enum err e = OK, end;

	for (size_t at = 0; at < file.len && !e; at += piece)
		e = mbox_scan_feed(s, str_cut(file, at, file.len - at < piece ? file.len : at + piece));
	end = mbox_scan_end(s);
	mbox_scan_free(s);
	return e ? e : end;
}

static void check(struct str file, const struct found *f)
{
	uint64_t end = 0;
	uint32_t uid = 0;

	for (size_t i = 0; i < f->count; i++) {
		const struct message *m = &f->m[i];
		struct message given = *m;
		struct str text;
		struct buf wire = { 0 };
		bool at_line_start = true;

		assert(m->offset >= end && m->offset + m->prefix + m->stored <= file.len && m->header <= m->stored);
		assert(m->uid > uid || !m->uid);
		text = str_cut(file, m->offset + m->prefix, m->offset + m->prefix + m->stored);
		assert(form_decode(text, &at_line_start, true, &wire) == text.len && buf_len(&wire) == m->wire);
		given.uid = m->uid ? m->uid : 12345;
		assert(mbox_is_message(str_cut(file, m->offset, file.len), &given));
		end = m->offset + m->prefix + m->stored; /* an empty line may follow */
		uid = m->uid ? m->uid : uid;
		buf_free(&wire);
	}
	assert(!f->count || file.len - end <= 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct str file = { (const char *)bytes, size };
	struct found whole = { .file = file }, cut = { .file = file };
	enum err e = scan(file, SIZE_MAX / 2, &whole);

	assert(scan(file, size ? 1 + bytes[size - 1] % 40 : 1, &cut) == e);
	assert(whole.count == cut.count && !memcmp(&whole.base, &cut.base, sizeof(whole.base)));
	for (size_t i = 0; i < whole.count; i++)
		assert(!memcmp(&whole.m[i], &cut.m[i], sizeof(whole.m[i])));
	if (!e)
		check(file, &whole);
	free(whole.m);
	free(cut.m);
	return 0;
}
