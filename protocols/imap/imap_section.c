/* imap_section.c - reading what FETCH is asked for (RFC 3501, 6.4.5 and 9; RFC 3516, 4.2). */
#include "protocols/imap/imap_fetch.h"
#include "storage/mail/header.h"

static void take_names(struct args *a, struct item *item, struct buf *label)
{
	item->names = arena_alloc(a->arena, NAMES_MAX * sizeof(*item->names));
	args_space(a);
	args_char(a, '(');
	buf_add_str(label, STR(" ("));
	do {
		struct str name = args_astring(a);

		if (item->name_count == NAMES_MAX)
			a->bad = true;
		if (a->bad)
			return;
		if (item->name_count)
			buf_add_char(label, ' ');
		imap_write_astring(label, name);
		item->names[item->name_count++] = name;
	} while (args_try(a, ' '));
	args_char(a, ')');
	buf_add_char(label, ')');
}

/* The words behind a part's numbers, or alone. */
static void take_section_text(struct args *a, struct item *item, struct buf *label)
{
	if (args_word(a, STR("HEADER.FIELDS.NOT"))) {
		buf_add_str(label, STR("HEADER.FIELDS.NOT"));
		item->section = MIME_HEADER;
		item->fields = FIELDS_NOT_THESE;
		take_names(a, item, label);
	} else if (args_word(a, STR("HEADER.FIELDS"))) {
		buf_add_str(label, STR("HEADER.FIELDS"));
		item->section = MIME_HEADER;
		item->fields = FIELDS_THESE;
		take_names(a, item, label);
	} else if (args_word(a, STR("HEADER"))) {
		buf_add_str(label, STR("HEADER"));
		item->section = MIME_HEADER;
	} else if (args_word(a, STR("TEXT"))) {
		buf_add_str(label, STR("TEXT"));
		item->section = MIME_TEXT;
	} else if (item->depth && args_word(a, STR("MIME"))) {
		buf_add_str(label, STR("MIME"));
		item->section = MIME_HEADERS;
	} else {
		a->bad = true;
	}
}

/* The numbers of a part; true: a dot stands behind the last. */
static bool take_numbers(struct args *a, struct item *item, struct buf *label)
{
	bool dot = false;

	item->numbers = arena_alloc(a->arena, SECTION_DEPTH_MAX * sizeof(*item->numbers));
	while (!a->bad && a->left.len && a->left.p[0] >= '0' && a->left.p[0] <= '9') {
		uint32_t number = args_number(a);

		if (!number || item->depth == SECTION_DEPTH_MAX)
			a->bad = true;
		else
			item->numbers[item->depth++] = number;
		buf_printf(label, "%u", number);
		if ((dot = args_try(a, '.')))
			buf_add_char(label, '.');
	}
	return dot;
}

static void take_partial(struct args *a, struct item *item, struct buf *label)
{
	if (!args_try(a, '<'))
		return;
	item->partial = true;
	item->from = args_number(a);
	args_char(a, '.');
	item->len = args_number(a);
	args_char(a, '>');
	buf_printf(label, "<%u>", item->from);
	if (!item->len)
		a->bad = true;
}

static void take_section_end(struct args *a, struct buf *label)
{
	args_char(a, ']');
	buf_add_char(label, ']');
}

static void take_section(struct args *a, struct item *item, struct buf *label)
{
	bool dot = take_numbers(a, item, label);

	if (dot || !args_peek(a, ']')) {
		if (item->depth && !dot)
			a->bad = true;
		else
			take_section_text(a, item, label);
	}
	take_section_end(a, label);
	take_partial(a, item, label);
}

/* section-binary: a part's numbers alone (RFC 3516, 4.2). */
static void take_binary(struct args *a, struct item *item, struct buf *label)
{
	if (take_numbers(a, item, label))
		a->bad = true;
	take_section_end(a, label);
	if (item->kind == ITEM_SECTION)
		take_partial(a, item, label);
}

static unsigned needs_of(const struct item *item)
{
	if (item->kind == ITEM_STRUCTURE || item->kind == ITEM_BODY || item->depth)
		return NEEDS_TREE;
	if (item->kind == ITEM_ENVELOPE || (item->kind == ITEM_SECTION && item->section != MIME_WHOLE))
		return NEEDS_HEADER;
	return 0;
}

static void add_item(struct args *a, struct items *items, const struct item *item)
{
	if (items->count == ITEMS_MAX)
		a->bad = true;
	if (a->bad)
		return;
	items->list[items->count++] = *item;
	items->needs |= needs_of(item);
	items->tells_flags |= item->kind == ITEM_FLAGS;
	items->sets_seen |= item->kind == ITEM_SECTION && !item->peek;
}

static const struct item_word {
	struct str word;
	struct item item;
} item_words[] = {
	/* longer words stand before their beginnings */
	{ { "BODYSTRUCTURE", 13 }, { .kind = ITEM_STRUCTURE, .label = { "BODYSTRUCTURE", 13 } } },
	{ { "BODY", 4 }, { .kind = ITEM_BODY, .label = { "BODY", 4 } } },
	{ { "ENVELOPE", 8 }, { .kind = ITEM_ENVELOPE, .label = { "ENVELOPE", 8 } } },
	{ { "FLAGS", 5 }, { .kind = ITEM_FLAGS } },
	{ { "INTERNALDATE", 12 }, { .kind = ITEM_DATE } },
	{ { "RFC822.HEADER", 13 },
		{ .kind = ITEM_SECTION, .label = { "RFC822.HEADER", 13 }, .section = MIME_HEADER, .peek = true } },
	{ { "RFC822.SIZE", 11 }, { .kind = ITEM_SIZE } },
	{ { "RFC822.TEXT", 11 }, { .kind = ITEM_SECTION, .label = { "RFC822.TEXT", 11 }, .section = MIME_TEXT } },
	{ { "RFC822", 6 }, { .kind = ITEM_SECTION, .label = { "RFC822", 6 }, .section = MIME_WHOLE } },
	{ { "UID", 3 }, { .kind = ITEM_UID } },
};

/* Items that go on behind a bracket. */
static const struct section_word {
	struct str word, label;
	struct item item;
} section_words[] = {
	{ { "BODY[", 5 }, { "BODY[", 5 }, { .kind = ITEM_SECTION } },
	{ { "BODY.PEEK[", 10 }, { "BODY[", 5 }, { .kind = ITEM_SECTION, .peek = true } },
	{ { "BINARY[", 7 }, { "BINARY[", 7 }, { .kind = ITEM_SECTION, .binary = true } },
	{ { "BINARY.PEEK[", 12 }, { "BINARY[", 7 }, { .kind = ITEM_SECTION, .binary = true, .peek = true } },
	{ { "BINARY.SIZE[", 12 }, { "BINARY.SIZE[", 12 }, { .kind = ITEM_BINARY_SIZE, .binary = true } },
};

static void take_section_item(struct args *a, struct items *items, const struct section_word *w)
{
	struct item item = w->item;
	struct buf label = { 0 };

	buf_add_str(&label, w->label);
	if (item.binary)
		take_binary(a, &item, &label);
	else
		take_section(a, &item, &label);
	item.label = arena_str(a->arena, buf_str(&label));
	buf_free(&label);
	add_item(a, items, &item);
}

static void take_item(struct args *a, struct items *items)
{
	for (size_t i = 0; i < sizeof(section_words) / sizeof(*section_words); i++)
		if (args_word(a, section_words[i].word)) {
			take_section_item(a, items, &section_words[i]);
			return;
		}
	for (size_t i = 0; i < sizeof(item_words) / sizeof(*item_words); i++)
		if (args_word(a, item_words[i].word)) {
			add_item(a, items, &item_words[i].item);
			return;
		}
	a->bad = true;
}

static bool take_macro(struct args *a, struct items *items)
{
	static const struct {
		struct str word;
		const char *items;
	} macros[] = {
		{ { "ALL", 3 }, "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE" },
		{ { "FAST", 4 }, "FLAGS INTERNALDATE RFC822.SIZE" },
		{ { "FULL", 4 }, "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY" },
	};

	for (size_t i = 0; i < sizeof(macros) / sizeof(*macros); i++)
		if (args_word(a, macros[i].word)) {
			struct args list = { str_of(macros[i].items), a->arena, false };

			do
				take_item(&list, items);
			while (args_try(&list, ' '));
			return true;
		}
	return false;
}

bool imap_take_items(struct args *a, struct items *items, bool uid)
{
	bool told = false;

	*items = (struct items){ .list = arena_alloc(a->arena, ITEMS_MAX * sizeof(*items->list)) };
	if (args_try(a, '(')) {
		do
			take_item(a, items);
		while (args_try(a, ' '));
		args_char(a, ')');
	} else if (!take_macro(a, items)) {
		take_item(a, items);
	}
	for (size_t i = 0; i < items->count; i++)
		told |= items->list[i].kind == ITEM_UID;
	if (uid && !told) /* RFC 3501, 6.4.8 */
		add_item(a, items, &(struct item){ .kind = ITEM_UID });
	return !a->bad;
}

void imap_filter_fields(const struct item *item, struct str block, struct buf *out)
{
	struct header_walk walk = header_walk(block);
	struct header_field field;

	while (header_next(&walk, &field)) {
		bool named = false;

		for (size_t i = 0; i < item->name_count && !named; i++)
			named = str_eq_nocase(item->names[i], field.name);
		if (named == (item->fields == FIELDS_THESE))
			buf_add_str(out, field.whole);
	}
	buf_add_str(out, STR("\r\n"));
}
