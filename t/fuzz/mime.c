/* Messages of any bytes, whole and in pieces: the trees are the same, sound, and within narrow limits; and whatever
 * their parts are encoded in is decoded. The first byte is the size of the pieces. */
#include "storage/mail/mime.h"
#include "core/buf.h"
#include "storage/mail/charset.h"
#include "storage/mail/decode.h"
#include <assert.h>

static const struct mime_limits narrow = {
	.depth = 5, .parts = 20, .fields = 20, .header_bytes = 500, .kept_bytes = 20000
};

static const struct mime_part *parse(struct arena *a, struct str message, size_t piece)
{
	struct mime *m = mime_new(a, &narrow);

	for (size_t at = 0; at < message.len; at += piece)
		mime_feed(m, message.p + at, message.len - at < piece ? message.len - at : piece);
	return mime_end(m);
}

static bool same_text(struct str a, struct str b)
{
	return !a.p == !b.p && str_eq(a, b);
}

static void compare(const struct mime_part *root, const struct mime_part *other)
{
	const struct mime_part *p = root, *q = other;

	for (; p && q; p = mime_next(root, p), q = mime_next(other, q)) {
		assert(p->kind == q->kind && p->depth == q->depth && p->number == q->number && p->lines == q->lines);
		assert(p->header_start == q->header_start && p->body_start == q->body_start &&
			p->body_end == q->body_end);
		assert(same_text(p->content.type, q->content.type) &&
			same_text(p->content.subtype, q->content.subtype));
		assert(same_text(p->content.encoding, q->content.encoding) && !p->envelope == !q->envelope);
	}
	assert(!p && !q);
}

static void check_part(const struct mime_part *p)
{
	unsigned children = 0;

	assert(p->header_start <= p->body_start && p->body_start <= p->body_end);
	assert(p->lines <= p->body_end - p->body_start);
	for (const struct mime_part *c = p->first; c; c = c->next) {
		assert(c->parent == p && c->number == ++children);
		assert(c->header_start >= p->body_start && c->body_end <= p->body_end);
		assert(!c->next || c->body_end <= c->next->header_start);
	}
	assert(p->kind == MIME_LEAF ? !children : p->kind == MIME_MESSAGE ? children == 1 : children >= 1);
	assert(content_is(&p->content, "multipart", NULL) == (p->kind == MIME_MULTIPART));
	assert((content_is(&p->content, "message", "rfc822") || content_is(&p->content, "message", "global")) ==
		(p->kind == MIME_MESSAGE));
	assert(!!p->envelope == (!p->parent || p->parent->kind == MIME_MESSAGE));
}

static void decode(const struct mime_part *p, struct str message, size_t piece)
{
	struct str charset = content_param(p->content.params, "charset");
	struct decoder d = { .encoding = encoding_of(p->content.encoding) }, cut = d;
	struct str body = str_cut(message, p->body_start, p->body_end);
	struct buf whole = { 0 }, pieces = { 0 }, text = { 0 };

	decoder_feed(&d, body, &whole);
	decoder_end(&d, &whole);
	for (size_t at = 0; at < body.len; at += piece)
		decoder_feed(&cut, str_cut(body, at, at + piece < body.len ? at + piece : body.len), &pieces);
	decoder_end(&cut, &pieces);
	assert(str_eq(buf_str(&whole), buf_str(&pieces)) && buf_len(&whole) <= body.len);
	charset_convert(charset, buf_str(&whole), &text);
	buf_free(&whole);
	buf_free(&pieces);
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct str message = { (const char *)bytes + 1, size - 1 };
	struct arena a = { 0 };
	const struct mime_part *root;
	unsigned parts = 0;
	size_t piece;

	if (!size)
		return 0;
	piece = bytes[0] ? bytes[0] : 1;
	root = parse(&a, message, message.len + 1);
	assert(root->header_start == 0 && root->body_end == message.len);
	assert(a.used < 2 * narrow.kept_bytes + narrow.header_bytes * 100);
	for (const struct mime_part *p = root; p; p = mime_next(root, p)) {
		assert(++parts <= narrow.parts && p->depth <= narrow.depth);
		check_part(p);
		if (p->kind == MIME_LEAF)
			decode(p, message, piece);
	}
	compare(root, parse(&a, message, piece));
	arena_free(&a);
	return 0;
}
