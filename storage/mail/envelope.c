/* envelope.c - see envelope.h. */
#include "storage/mail/envelope.h"
#include "storage/mail/header.h"

/* Which field fills which member. */
static const struct {
	struct str name;
	size_t text, list; /* one of them; NONE is the other */
} fields_known[] = {
#define NONE ((size_t)-1)
	{ { "Date", 4 }, offsetof(struct envelope, date), NONE },
	{ { "Subject", 7 }, offsetof(struct envelope, subject), NONE },
	{ { "In-Reply-To", 11 }, offsetof(struct envelope, in_reply_to), NONE },
	{ { "Message-ID", 10 }, offsetof(struct envelope, message_id), NONE },
	{ { "From", 4 }, NONE, offsetof(struct envelope, from) },
	{ { "Sender", 6 }, NONE, offsetof(struct envelope, sender) },
	{ { "Reply-To", 8 }, NONE, offsetof(struct envelope, reply_to) },
	{ { "To", 2 }, NONE, offsetof(struct envelope, to) },
	{ { "Cc", 2 }, NONE, offsetof(struct envelope, cc) },
	{ { "Bcc", 3 }, NONE, offsetof(struct envelope, bcc) },
};
#define FIELDS_KNOWN (sizeof(fields_known) / sizeof(*fields_known))

/* Most fields are none of these: length and first letter tell. */
static bool is_named(struct str name, struct str known)
{
	return name.len == known.len && !((name.p[0] ^ known.p[0]) & ~('a' ^ 'A')) && str_eq_nocase(name, known);
}

static void add_text(struct arena *a, struct str value, struct str *text)
{
	struct str unfolded = header_unfold(a, value);

	if (!text->p)
		*text = arena_str(a, unfolded);
}

/* Adds a field's addresses at *end, the end of its list so far, and moves it on. */
static void add_list(struct arena *a, struct str value, unsigned *room, struct address ***end)
{
	**end = address_list(a, value, *room);
	while (**end) {
		*end = &(**end)->next;
		if (*room)
			--*room;
	}
}

void envelope_read(struct arena *a, struct str block, unsigned fields, struct envelope *e)
{
	struct address **ends[FIELDS_KNOWN];
	struct header_walk w = header_walk(block);
	unsigned room = ENVELOPE_ADDRESSES_MAX;
	struct header_field field;

	*e = (struct envelope){ 0 };
	for (size_t i = 0; i < FIELDS_KNOWN; i++)
		if (fields_known[i].list != NONE)
			ends[i] = (struct address **)((char *)e + fields_known[i].list);
	while (fields-- && header_next(&w, &field)) {
		size_t i = 0;

		while (i < FIELDS_KNOWN && !is_named(field.name, fields_known[i].name))
			i++;
		if (i == FIELDS_KNOWN)
			continue;
		if (fields_known[i].text != NONE)
			add_text(a, field.value, (struct str *)((char *)e + fields_known[i].text));
		else
			add_list(a, field.value, &room, &ends[i]);
	}
	if (!e->sender)
		e->sender = e->from;
	if (!e->reply_to)
		e->reply_to = e->from;
}
