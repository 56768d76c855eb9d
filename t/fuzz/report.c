/* A report of any words: it is made of two or three parts, its header and its first two parts are lines that may be, and
 * nothing of what came in begins a field or a part. The first byte says what is reported; bytes 0x1e part the texts. */
#include "protocols/sending/report.h"
#include "storage/mail/header.h"
#include "storage/mail/mime.h"
#include <assert.h>

#define TEXTS    9
#define LINE_MAX 998 /* bytes (RFC 5322, 2.1.1) */

static void split(struct str left, struct str texts[TEXTS])
{
	for (unsigned i = 0; i < TEXTS; i++) {
		ptrdiff_t end = i + 1 < TEXTS ? str_find(left, 0x1e) : -1;

		texts[i] = str_cut(left, 0, end < 0 ? left.len : (size_t)end);
		left = str_cut(left, end < 0 ? left.len : texts[i].len + 1, left.len);
	}
}

static void check_lines(struct str text)
{
	size_t start = 0;

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];

		assert((c >= ' ' && c != 0x7f) || c == '\n' || c == '\t');
		assert(i - start <= LINE_MAX);
		if (c == '\n')
			start = i + 1;
		assert(i != start || !str_starts(str_cut(text, i, text.len), STR("From ")));
	}
}

static void check_header(struct str block)
{
	struct header_walk w = header_walk(block);
	struct header_field field;
	unsigned count = 0;

	while (header_next(&w, &field)) {
		assert(field.name.len);
		count++;
	}
	assert(count == 8 || count == 10); /* with what it replies to */
}

static void check(const struct report *r, struct str message, struct str bytes)
{
	struct arena a = { 0 };
	struct mime *m = mime_new(&a, &mime_limits);
	const struct mime_part *root, *part;
	struct str whole;

	mime_feed(m, bytes.p, bytes.len);
	root = mime_end(m);
	assert(content_is(&root->content, "multipart", "report") && root->first && root->last->number <= 3);
	check_header(str_cut(bytes, 0, root->body_start));
	check_lines(str_cut(bytes, 0, root->first->next->body_end));
	part = root->first;
	assert(content_is(&part->content, "text", "plain"));
	part = part->next;
	assert(content_is(&part->content, "message", "delivery-status") ||
		content_is(&part->content, "message", "global-delivery-status"));
	if ((part = part->next) && !content_is(&part->content, "text", "rfc822-headers") &&
		!content_is(&part->content, "message", "global-headers")) {
		assert(r->action == REPORT_FAILED);
		whole = str_cut(bytes, part->body_start, part->body_end);
		assert(str_starts(whole, message) &&
			whole.len <= message.len + 1); /* one that is a header alone ends later */
	}
	arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct str texts[TEXTS];
	struct queue_copy copy = { .id = 1 };
	struct queue_recipient to = { 0 };
	struct report_recipient one = { .recipient = &to };
	struct report report = { .copy = &copy, .recipients = &one, .count = 1 };
	struct buf out = { 0 };

	if (!size)
		return 0;
	split((struct str){ (const char *)bytes + 1, size - 1 }, texts);
	report.action = (enum report_action)(bytes[0] % (REPORT_EXPANDED + 1));
	copy.envelope.ret = bytes[0] & 0x80 ? RET_FULL : RET_HDRS;
	copy.envelope.sender = texts[0];
	copy.envelope.envid = texts[1];
	to.address = texts[2];
	to.original = texts[3];
	to.orcpt = texts[4];
	one.outcome.status = texts[5];
	one.outcome.reply = texts[6];
	one.outcome.remote = texts[7];
	copy.stored = texts[8].len;
	copy.header = (uint32_t)header_size(texts[8]);
	report_write(&report, STR("mx.example.test"), 1763900000, str_cut(texts[8], 0, report_takes(&report)), &out);
	check(&report, texts[8], buf_str(&out));
	buf_free(&out);
	return 0;
}
