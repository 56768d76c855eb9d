/* report_words.c - see report_words.h. */
#include "protocols/sending/report_words.h"
#include "storage/mail/utf8.h"

#define WORDS_MAX 4000 /* bytes of one text that are told */
#define WHOLE_MAX 900  /* of one that is not broken */
#define WORD_MAX  300  /* bytes in a row without a blank: longer ones are broken */
#define COLUMNS   76

/* C0, DEL and, as they move terminals as well, C1 (U+0080 to U+009F). */
static bool is_control(struct str s, size_t size)
{
	unsigned char c = (unsigned char)s.p[0];

	return size == 1 ? c < ' ' || c == 0x7f : size == 2 && c == 0xc2 && (unsigned char)s.p[1] < 0xa0;
}

void report_clean(struct str text, bool ascii, size_t max, struct buf *out)
{
	struct str left = str_cut(text, 0, text.len < max ? text.len : max);

	while (left.len) {
		size_t size = utf8_size(left);

		if (*left.p == '\n' || *left.p == '\r' || *left.p == '\t')
			buf_add_char(out, ' ');
		else if (!size || is_control(left, size) || (ascii && size > 1))
			buf_add_char(out, '?');
		else
			buf_add(out, left.p, size);
		left = str_cut(left, size ? size : 1, left.len);
	}
}

/* The next word, or what may stand in one line of it. */
static struct str next_word(struct str *left)
{
	struct str word;
	size_t len;

	while (left->len && *left->p == ' ')
		*left = str_cut(*left, 1, left->len);
	for (len = 0; len < left->len && left->p[len] != ' ' && len < WORD_MAX; len++)
		;
	if (len == WORD_MAX) /* not in the middle of a character */
		while (len < left->len && len > WORD_MAX - 4 && ((unsigned char)left->p[len] & 0xc0) == 0x80)
			len--;
	word = str_cut(*left, 0, len);
	*left = str_cut(*left, len, left->len);
	return word;
}

/* Words with a blank between them, from this column on; a line that is begun anew begins with so many. */
static void add_words(struct str text, size_t column, unsigned indent, struct buf *out)
{
	bool first = true;

	for (struct str word = next_word(&text); word.len; word = next_word(&text)) {
		if (!first && column + 1 + word.len > COLUMNS) {
			buf_printf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (!first) {
			buf_add_char(out, ' ');
			column++;
		}
		buf_add_str(out, word);
		column += word.len;
		first = false;
	}
	buf_add_char(out, '\n');
}

void report_field_words(const char *name, struct str value, bool ascii, struct buf *out)
{
	struct buf clean = { 0 };

	report_clean(value, ascii, WORDS_MAX, &clean);
	buf_printf(out, "%s: ", name);
	add_words(buf_str(&clean), strlen(name) + 2, 1, out);
	buf_free(&clean);
}

void report_field_whole(const char *name, struct str value, bool ascii, struct buf *out)
{
	buf_printf(out, "%s: ", name);
	report_clean(value, ascii, WHOLE_MAX, out);
	buf_add_char(out, '\n');
}

void report_paragraph(unsigned indent, struct str text, struct buf *out)
{
	struct buf clean = { 0 };

	text = str_trim(str_cut(text, 0, text.len < WORDS_MAX ? text.len : WORDS_MAX));
	while (text.len) {
		ptrdiff_t end = str_find(text, '\n');
		size_t len = end < 0 ? text.len : (size_t)end;

		buf_clear(&clean);
		report_clean(str_trim(str_cut(text, 0, len)), false, len, &clean);
		if (buf_len(&clean)) {
			buf_printf(out, "%*s", (int)indent, "");
			add_words(buf_str(&clean), indent, indent, out);
		}
		text = str_cut(text, end < 0 ? len : len + 1, text.len);
	}
	buf_free(&clean);
}
