/* Any bytes as a message on its way to a POP3 client, in pieces, whole or its top: the dot that ends it ends it only. */
#include "protocols/pop3/pop3_text.h"
#include <assert.h>

/* The lines of what is sent: none is a dot alone but the last. */
static void check(struct str sent)
{
	assert(sent.len >= 3 && !memcmp(sent.p + sent.len - 3, ".\r\n", 3));
	assert(sent.len == 3 || sent.p[sent.len - 4] == '\n');
	for (size_t at = 0; at + 3 < sent.len;) {
		const char *lf = memchr(sent.p + at, '\n', sent.len - at);

		assert(sent.p[at] != '.' || sent.p[at + 1] == '.');
		at = (size_t)(lf - sent.p) + 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct str left = { (const char *)bytes, size };
	struct pop3_text t = { 0 };
	struct buf out = { 0 };
	size_t step;

	if (size < 2)
		return 0;
	t.top = bytes[0] & 1;
	t.lines = bytes[0] / 2;
	step = 1u + bytes[1];
	left = str_cut(left, 2, left.len);
	pop3_needs_utf8(left);
	while (left.len) {
		size_t len = step < left.len ? step : left.len;

		pop3_text_add(&t, str_cut(left, 0, len), &out);
		left = str_cut(left, len, left.len);
	}
	pop3_text_end(&t, &out);
	check(buf_str(&out));
	buf_free(&out);
	return 0;
}
