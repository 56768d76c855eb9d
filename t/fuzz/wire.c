/* Content on its way out: in any pieces it comes out the same, its lines end in CRLF alone, nothing before its end looks like
 * the end, and who undoes it has the same lines. The first byte is the size of the pieces. */
#include "protocols/smtp_client/wire.h"
#include "protocols/smtp/smtp_dot.h"
#include <assert.h>

static void write_out(struct str in, bool stuff, size_t step, struct buf *out)
{
	struct wire w = { .stuff = stuff };

	for (size_t at = 0; at < in.len; at += step)
		wire_feed(&w, str_cut(in, at, in.len - at < step ? in.len : at + step), out);
	wire_end(&w, out);
}

static void keep(void *user, struct str piece)
{
	buf_add_str(user, piece);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = { (const char *)data + 1, size ? size - 1 : 0 };
	struct buf dotted = { 0 }, pieces = { 0 }, chunk = { 0 }, taken = { 0 };
	struct smtp_dot dot = { 0 };
	struct str out;

	if (!size)
		return 0;
	write_out(in, true, in.len ? in.len : 1, &dotted);
	write_out(in, true, data[0] ? data[0] : 1, &pieces);
	assert(str_eq(buf_str(&dotted), buf_str(&pieces)));
	write_out(in, false, data[0] ? data[0] : 1, &chunk);
	out = buf_str(&dotted);
	for (size_t i = 0; i < out.len; i++) {
		assert(out.p[i] != '\n' || (i && out.p[i - 1] == '\r'));
		assert(out.p[i] != '\r' || (i + 1 < out.len && out.p[i + 1] == '\n'));
	}
	assert(smtp_dot_feed(&dot, out, keep, &taken) == out.len && dot.state == DOT_END);
	assert(str_eq(buf_str(&taken), buf_str(&chunk)));
	buf_free(&dotted);
	buf_free(&pieces);
	buf_free(&chunk);
	buf_free(&taken);
	return 0;
}
