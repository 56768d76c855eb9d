/* search.c - see search.h.
 * The message's bytes are cut into stretches, in their order: the header of each part, which is gathered and looked at
 * field by field; and the body of each leaf that is text, which runs through decoder, charset and folding into a window
 * that keeps as much of what came before as a text may reach back into. */
#include "storage/mail/search.h"
#include "core/mem.h"
#include "storage/mail/charset.h"
#include "storage/mail/decode.h"
#include "storage/mail/header.h"
#include "storage/mail/utf8.h"
#include <stdlib.h>
#include <unicase.h>
#include <uninorm.h>

#define STEP_BYTES    (16u << 10) /* of a body decoded at a time */
#define ADDRESSES_MAX 4096        /* of one field */
#define UNFOLD_MAX    64          /* characters that one decomposes into, and more than any does */

/* ---- folding ---- */

static void add_utf8(struct buf *out, ucs4_t c)
{
	char *to = buf_room(out, 4);
	size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = len; --i > 0; c >>= 6)
		to[i] = (char)(0x80 | (c & 0x3f));
	to[0] = (char)(len == 1 ? c : (0xf00u >> len & 0xff) | c);
	buf_added(out, len);
}

static ucs4_t utf8_value(struct str s, size_t size)
{
	ucs4_t c = (unsigned char)s.p[0] & (0xffu >> (size + 1));

	for (size_t i = 1; i < size; i++)
		c = c << 6 | ((unsigned char)s.p[i] & 0x3f);
	return c;
}

/* A character beyond ASCII: in title case, then taken apart as far as it goes (RFC 5051, 2), and the pieces in title case
 * again: those of a ligature are small letters. */
static void fold_wide(struct buf *out, ucs4_t c)
{
	ucs4_t left[UNFOLD_MAX];
	size_t count = 1;

	left[0] = uc_totitle(c);
	while (count) {
		ucs4_t parts[UC_DECOMPOSITION_MAX_LENGTH];
		int tag, len = uc_decomposition(left[--count], &tag, parts);

		if (len <= 0 || count + (size_t)len > UNFOLD_MAX)
			add_utf8(out, uc_totitle(left[count]));
		else
			while (len)
				left[count++] = parts[--len];
	}
}

static void fold_ascii(struct buf *out, struct str s)
{
	char *to = buf_room(out, s.len);

	for (size_t i = 0; i < s.len; i++)
		to[i] = (char)(s.p[i] >= 'a' && s.p[i] <= 'z' ? s.p[i] - ('a' - 'A') : s.p[i]);
	buf_added(out, s.len);
}

void search_fold(struct str utf8, struct buf *out)
{
	while (utf8.len) {
		size_t len = utf8_ascii(utf8);

		if (len)
			fold_ascii(out, str_cut(utf8, 0, len));
		else if ((len = utf8_size(utf8)))
			fold_wide(out, utf8_value(utf8, len));
		else
			len = 1; /* what is no UTF-8 is equal to nothing */
		utf8 = str_cut(utf8, len, utf8.len);
	}
}

static bool has(struct str folded, struct str text)
{
	return !text.len || (folded.len && memmem(folded.p, folded.len, text.p, text.len));
}

/* ---- headers ---- */

struct scratch { /* buffers of one field */
	struct buf text, folded;
	struct arena arena;
};

static void scratch_free(struct scratch *x)
{
	buf_free(&x->text);
	buf_free(&x->folded);
	arena_free(&x->arena);
}

/* A field's value, folded, as "Name: value" if it is to be looked through as part of the header. */
static struct str fold_field(struct scratch *x, const struct header_field *field, bool named)
{
	buf_clear(&x->text);
	buf_clear(&x->folded);
	if (named && field->name.len) {
		buf_add_str(&x->text, field->name);
		buf_add_str(&x->text, STR(": "));
	}
	charset_words(field->value, &x->text);
	search_fold(buf_str(&x->text), &x->folded);
	return buf_str(&x->folded);
}

/* Its addresses, folded, as "Name <local@host>, " each: quoting and comments are no part of them. */
static struct str fold_addresses(struct scratch *x, const struct header_field *field)
{
	buf_clear(&x->text);
	buf_clear(&x->folded);
	for (const struct address *at = address_list(&x->arena, field->value, ADDRESSES_MAX); at; at = at->next) {
		if (at->name.len)
			charset_words(at->name, &x->text);
		if (at->kind == ADDRESS_MAILBOX)
			buf_printf(&x->text, " <" STR_FMT "@" STR_FMT ">, ", STR_ARG(at->local), STR_ARG(at->host));
		else if (at->local.len)
			charset_words(at->local, &x->text);
	}
	arena_reset(&x->arena);
	search_fold(buf_str(&x->text), &x->folded);
	return buf_str(&x->folded);
}

static bool wants(const struct search_text *t, const struct header_field *field)
{
	return !t->found && t->in <= SEARCH_ADDRESSES && str_eq_nocase(t->name, field->name);
}

void search_header(struct search_text *texts, size_t count, struct str block)
{
	struct header_walk walk = header_walk(block);
	struct header_field field;
	struct scratch x = { 0 };

	while (header_next(&walk, &field)) {
		struct str all = STR_NONE, value = STR_NONE;

		for (size_t i = 0; i < count; i++)
			if (texts[i].in == SEARCH_TEXT && !texts[i].found) {
				all = all.p ? all : fold_field(&x, &field, true);
				texts[i].found = has(all, texts[i].text);
			}
		for (size_t i = 0; i < count; i++)
			if (wants(&texts[i], &field)) {
				value = value.p ? value : fold_field(&x, &field, false);
				texts[i].found = has(value, texts[i].text);
			}
		for (size_t i = 0; i < count; i++)
			if (wants(&texts[i], &field) && texts[i].in == SEARCH_ADDRESSES)
				texts[i].found = has(fold_addresses(&x, &field), texts[i].text);
	}
	scratch_free(&x);
}

/* ---- the body ---- */

struct search {
	struct search_text *texts;
	size_t count;
	size_t longest; /* bytes of a text */
	const struct mime_part *root, *part;
	bool in_body; /* the stretch: the part's body, else its header */
	uint64_t at;  /* bytes fed */
	struct buf header;
	struct decoder decoder;
	struct charset *charset; /* NULL: what comes is not looked at */
	struct buf decoded, utf8, window;
	struct scratch scratch;
};

void search_free(struct search *g)
{
	if (!g)
		return;
	charset_free(g->charset);
	buf_free(&g->header);
	buf_free(&g->decoded);
	buf_free(&g->utf8);
	buf_free(&g->window);
	scratch_free(&g->scratch);
	free(g);
}

static void look(struct search *g, struct str folded, enum search_in in)
{
	for (size_t i = 0; i < g->count; i++) {
		struct search_text *t = &g->texts[i];

		if (!t->found && t->in >= in)
			t->found = has(folded, t->text);
	}
}

static bool is_message(const struct mime_part *part)
{
	return !part->parent || part->parent->kind == MIME_MESSAGE;
}

/* The header of a part, or of a message in the message, which belongs to the body. */
static void look_at_header(struct search *g)
{
	struct header_walk walk = header_walk(buf_str(&g->header));
	struct header_field field;

	while (header_next(&walk, &field))
		look(g, fold_field(&g->scratch, &field, true), is_message(g->part) ? SEARCH_BODY : SEARCH_TEXT);
	buf_clear(&g->header);
}

static void look_at_window(struct search *g)
{
	size_t len;

	search_fold(buf_str(&g->utf8), &g->window);
	buf_clear(&g->utf8);
	look(g, buf_str(&g->window), SEARCH_BODY);
	len = buf_len(&g->window);
	if (len >= g->longest)
		buf_take(&g->window, len - g->longest + !!g->longest);
}

static bool is_text(const struct content *c)
{
	return content_is(c, "text", NULL) || content_is(c, "message", NULL); /* reports are text, too */
}

static void body_begin(struct search *g)
{
	const struct content *c = &g->part->content;

	g->decoder = (struct decoder){ .encoding = encoding_of(c->encoding) };
	if (g->part->kind != MIME_LEAF || !is_text(c))
		return;
	g->charset = charset_open(content_param(c->params, "charset"));
	if (!g->charset)
		g->charset = charset_open(STR("utf-8"));
}

static void body_bytes(struct search *g, struct str bytes)
{
	while (g->charset && bytes.len) {
		size_t step = bytes.len < STEP_BYTES ? bytes.len : STEP_BYTES;

		buf_clear(&g->decoded);
		decoder_feed(&g->decoder, str_cut(bytes, 0, step), &g->decoded);
		charset_feed(g->charset, buf_str(&g->decoded), &g->utf8);
		look_at_window(g);
		bytes = str_cut(bytes, step, bytes.len);
	}
}

static void body_end(struct search *g)
{
	if (!g->charset)
		return;
	buf_clear(&g->decoded);
	decoder_end(&g->decoder, &g->decoded);
	charset_feed(g->charset, buf_str(&g->decoded), &g->utf8);
	charset_end(g->charset, &g->utf8);
	look_at_window(g);
	charset_free(g->charset);
	g->charset = NULL;
	buf_clear(&g->window);
}

struct search *search_new(struct search_text *texts, size_t count, const struct mime_part *root)
{
	struct search *g = mem_new(struct search);

	g->texts = texts;
	g->count = count;
	g->root = g->part = root;
	g->in_body = true; /* its header is search_header's */
	body_begin(g);
	for (size_t i = 0; i < count; i++)
		if (texts[i].in >= SEARCH_BODY) {
			texts[i].found |= !texts[i].text.len;
			g->longest = texts[i].text.len > g->longest ? texts[i].text.len : g->longest;
		}
	return g;
}

/* The stretch under way has ended, and the next begins. */
static void next_stretch(struct search *g)
{
	if (!g->in_body) {
		look_at_header(g);
		body_begin(g);
		g->in_body = true;
	} else {
		body_end(g);
		g->part = mime_next(g->root, g->part);
		g->in_body = false;
	}
}

/* [*start, *end) of the message is the stretch under way: what a part with others in it has around them is none. */
static void stretch(const struct search *g, uint64_t *start, uint64_t *end)
{
	const struct mime_part *part = g->part;

	*start = g->in_body ? part->body_start : part->header_start;
	*end = !g->in_body ? part->body_start : part->kind == MIME_LEAF ? part->body_end : part->body_start;
}

void search_feed(struct search *g, struct str bytes)
{
	uint64_t start, end, from = g->at;

	g->at += bytes.len;
	while (g->part) {
		stretch(g, &start, &end);
		start = start > from ? start : from;
		if (start < end && start < g->at) {
			uint64_t stop = end < g->at ? end : g->at;
			struct str some = str_cut(bytes, (size_t)(start - from), (size_t)(stop - from));

			if (g->in_body)
				body_bytes(g, some);
			else if (buf_len(&g->header) < mime_limits.header_bytes)
				buf_add_str(&g->header, some);
		}
		if (end > g->at)
			return;
		next_stretch(g);
	}
}
