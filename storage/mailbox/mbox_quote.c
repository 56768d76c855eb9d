/* mbox_quote.c - see mbox_quote.h. */
#include "storage/mailbox/mbox_quote.h"
#include "storage/mail/form.h"

#define FROM     STR("From ")
#define FROM_LEN (sizeof("From ") - 1)
#define IN_LINE  (FROM_LEN + 1) /* instead of a number of bytes */

bool mbox_prefix_is_ours(struct str prefix)
{
	struct str value;

	if (prefix.len && prefix.p[prefix.len - 1] == '\n')
		prefix.len--;
	return form_field_of(str_cut(prefix, (size_t)(str_rfind(prefix, '\n') + 1), prefix.len), true, &value) ==
	       FORM_POSTERN;
}

void mbox_quote_end(struct mbox_quoting *q, struct buf *out)
{
	if (q->matched <= FROM_LEN)
		buf_add_str(out, str_cut(FROM, 0, q->matched));
	q->matched = IN_LINE;
}

void mbox_quote(struct mbox_quoting *q, struct str bytes, struct buf *out)
{
	while (bytes.len) {
		const char *lf;
		size_t len;

		if (q->matched < FROM_LEN && bytes.p[0] == FROM.p[q->matched]) {
			bytes = str_cut(bytes, 1, bytes.len);
			if (++q->matched < FROM_LEN)
				continue;
			buf_add_char(out, '>');
			q->added++;
		}
		mbox_quote_end(q, out);
		lf = bytes.len ? memchr(bytes.p, '\n', bytes.len) : NULL;
		len = lf ? (size_t)(lf - bytes.p) + 1 : bytes.len;
		buf_add(out, bytes.p, len);
		bytes = str_cut(bytes, len, bytes.len);
		if (lf)
			q->matched = 0;
	}
}
