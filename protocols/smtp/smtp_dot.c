/* smtp_dot.c - see smtp_dot.h. */
#include "protocols/smtp/smtp_dot.h"

/* Runs from `at` to behind the next LF (or to the end); answers the state behind it. */
static enum smtp_dot_state run_line(struct smtp_dot *d, struct str in, size_t *at)
{
	const char *start = in.p + *at, *lf = memchr(start, '\n', in.len - *at);
	size_t len = lf ? (size_t)(lf - start) + 1 : in.len - *at;
	bool cr = len >= 2 ? start[len - 2] == '\r' : d->state == DOT_CR_WITHIN;

	*at += len;
	if (lf)
		return cr ? DOT_LINE_START : DOT_WITHIN;
	return start[len - 1] == '\r' ? DOT_CR_WITHIN : DOT_WITHIN;
}

size_t smtp_dot_feed(struct smtp_dot *d, struct str in, void (*text)(void *user, struct str piece), void *user)
{
	size_t at = 0, from = 0; /* bytes [from, at) wait to be passed on */

	while (at < in.len && d->state != DOT_END) {
		char c = in.p[at];

		switch (d->state) {
		case DOT_LINE_START:
			if (c != '.') {
				d->state = run_line(d, in, &at);
				break;
			}
			if (at > from)
				text(user, str_cut(in, from, at));
			from = ++at;
			d->state = DOT_SEEN;
			break;
		case DOT_SEEN: /* the dot itself is dropped, whatever follows */
			if (c == '\r') {
				d->state = DOT_CR_SEEN;
				from = ++at;
			} else {
				d->state = run_line(d, in, &at);
			}
			break;
		case DOT_CR_SEEN:
			if (c == '\n') {
				d->state = DOT_END;
				from = ++at;
			} else { /* the CR that was held back was a bare one */
				text(user, STR("\r"));
				d->state = DOT_WITHIN;
			}
			break;
		default:
			d->state = run_line(d, in, &at);
		}
	}
	if (at > from)
		text(user, str_cut(in, from, at));
	return at;
}
