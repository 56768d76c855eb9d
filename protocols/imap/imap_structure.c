/* imap_structure.c - ENVELOPE, BODY and BODYSTRUCTURE written out (RFC 3501, 7.4.2). */
#include "protocols/imap/imap_fetch.h"

static void write_addresses(struct buf *out, const struct address *list)
{
	if (!list) {
		buf_add_str(out, STR(" NIL"));
		return;
	}
	buf_add_str(out, STR(" ("));
	for (; list; list = list->next) {
		bool group = list->kind == ADDRESS_GROUP, end = list->kind == ADDRESS_GROUP_END;

		buf_add_char(out, '(');
		imap_write_nstring(out, list->name);
		buf_add_char(out, ' ');
		imap_write_nstring(out, list->route);
		buf_add_char(out, ' ');
		imap_write_nstring(out, end ? STR_NONE : list->local);
		buf_add_char(out, ' ');
		imap_write_nstring(out, group || end ? STR_NONE : list->host);
		buf_add_char(out, ')');
	}
	buf_add_char(out, ')');
}

/* Sender and Reply-To are mostly the list of From: what was written of that is written again. */
static void write_addresses_again(
	struct buf *out, const struct address *list, const struct address *from, size_t at, size_t len)
{
	if (!list || list != from) {
		write_addresses(out, list);
		return;
	}
	buf_room(out, len);
	buf_add(out, buf_data(out) + at, len);
}

void imap_write_envelope(struct buf *out, const struct envelope *e)
{
	size_t at, len;

	buf_add_char(out, '(');
	imap_write_nstring(out, e->date);
	buf_add_char(out, ' ');
	imap_write_nstring(out, e->subject);
	at = buf_len(out);
	write_addresses(out, e->from);
	len = buf_len(out) - at;
	write_addresses_again(out, e->sender, e->from, at, len);
	write_addresses_again(out, e->reply_to, e->from, at, len);
	write_addresses(out, e->to);
	write_addresses(out, e->cc);
	write_addresses(out, e->bcc);
	buf_add_char(out, ' ');
	imap_write_nstring(out, e->in_reply_to);
	buf_add_char(out, ' ');
	imap_write_nstring(out, e->message_id);
	buf_add_char(out, ')');
}

static void write_params(struct buf *out, const struct content_param *p)
{
	if (!p) {
		buf_add_str(out, STR("NIL"));
		return;
	}
	for (char before = '('; p; p = p->next, before = ' ') {
		buf_add_char(out, before);
		imap_write_string(out, p->name);
		buf_add_char(out, ' ');
		imap_write_string(out, p->value);
	}
	buf_add_char(out, ')');
}

/* Disposition, languages and location: the end of every extended structure. */
static void write_extension(struct buf *out, const struct content *c)
{
	if (c->disposition.p) {
		buf_add_str(out, STR(" ("));
		imap_write_string(out, c->disposition);
		buf_add_char(out, ' ');
		write_params(out, c->disposition_params);
		buf_add_char(out, ')');
	} else {
		buf_add_str(out, STR(" NIL"));
	}
	if (c->languages) {
		char before = '(';

		buf_add_char(out, ' ');
		for (const struct content_word *w = c->languages; w; w = w->next, before = ' ') {
			buf_add_char(out, before);
			imap_write_string(out, w->text);
		}
		buf_add_char(out, ')');
	} else {
		buf_add_str(out, STR(" NIL"));
	}
	buf_add_char(out, ' ');
	imap_write_nstring(out, c->location);
}

/* body-fields, with type and subtype before them. */
static void write_fields(struct buf *out, const struct mime_part *part)
{
	const struct content *c = &part->content;

	imap_write_string(out, c->type);
	buf_add_char(out, ' ');
	imap_write_string(out, c->subtype);
	buf_add_char(out, ' ');
	write_params(out, c->params);
	buf_add_char(out, ' ');
	imap_write_nstring(out, c->id);
	buf_add_char(out, ' ');
	imap_write_nstring(out, c->description);
	buf_add_char(out, ' ');
	imap_write_string(out, c->encoding.p ? c->encoding : STR("7BIT"));
	buf_printf(out, " %llu", (unsigned long long)(part->body_end - part->body_start));
}

/* What stands behind a part's children, or all of a leaf behind its fields. */
static void write_end(struct buf *out, const struct mime_part *part, bool extended)
{
	const struct content *c = &part->content;

	if (part->kind == MIME_MULTIPART) {
		buf_add_char(out, ' ');
		imap_write_string(out, c->subtype);
		if (extended) {
			buf_add_char(out, ' ');
			write_params(out, c->params);
		}
	} else {
		if (part->kind == MIME_MESSAGE || content_is(c, "text", NULL))
			buf_printf(out, " %llu", (unsigned long long)part->lines);
		if (extended) {
			buf_add_char(out, ' ');
			imap_write_nstring(out, c->md5);
		}
	}
	if (extended)
		write_extension(out, c);
	buf_add_char(out, ')');
}

static void write_begin(struct buf *out, const struct mime_part *part)
{
	buf_add_char(out, '(');
	if (part->kind == MIME_MULTIPART)
		return;
	write_fields(out, part);
	if (part->kind == MIME_MESSAGE) {
		buf_add_char(out, ' ');
		imap_write_envelope(out, part->first->envelope);
		buf_add_char(out, ' ');
	}
}

void imap_write_structure(struct buf *out, const struct mime_part *root, bool extended)
{
	const struct mime_part *part = root;

	for (;;) { /* down to the first child, along the siblings, up when there is none left */
		write_begin(out, part);
		if (part->first) {
			part = part->first;
			continue;
		}
		write_end(out, part, extended);
		while (part != root && !part->next) {
			part = part->parent;
			write_end(out, part, extended);
		}
		if (part == root)
			return;
		part = part->next;
	}
}
