/* members.c - see members.h. */
#include "storage/account/members.h"
#include "core/arena.h"
#include "storage/mail/address.h"
#include "storage/route/idn.h"
#include "storage/table.h"

bool members_next(struct str *left, struct str *member)
{
	ptrdiff_t end = str_find(*left, '\n');

	if (end < 0)
		return false;
	*member = str_cut(*left, 0, (size_t)end);
	*left = str_cut(*left, (size_t)end + 1, left->len);
	return true;
}

size_t members_count(struct str list)
{
	struct str member;
	size_t count = 0;

	while (members_next(&list, &member))
		count++;
	return count;
}

bool members_have(struct str list, struct str address)
{
	struct str member;

	while (members_next(&list, &member))
		if (str_eq_nocase(member, address))
			return true;
	return false;
}

/* Takes what stands before the next comma that is not within quotes. */
static struct str take_piece(struct str *left)
{
	struct str piece;
	bool quoted = false;
	size_t i = 0;

	for (; i < left->len && (quoted || left->p[i] != ','); i++)
		if (quoted && left->p[i] == '\\')
			i++;
		else if (left->p[i] == '"')
			quoted = !quoted;
	if (i > left->len)
		i = left->len;
	piece = str_trim(str_cut(*left, 0, i));
	*left = str_cut(*left, i < left->len ? i + 1 : i, left->len);
	return piece;
}

enum err members_parse(struct str text, struct buf *list)
{
	size_t count = members_count(buf_str(list)), before = buf_len(list);
	struct arena a = { 0 };
	enum err e = OK;

	while (text.len && !e) {
		struct str piece = take_piece(&text);
		struct address_path path;

		if (!piece.len)
			continue;
		if (++count > MEMBERS_MAX)
			e = ERR_TOO_BIG;
		else if (address_mailbox(&a, piece, ADDRESS_UTF8, &path) || idn_domain(&a, path.domain, &path.domain))
			e = ERR_MISTAKE;
		else
			buf_add_str(list, address_text(&a, &path));
		if (!e)
			buf_add_char(list, '\n');
		arena_reset(&a);
	}
	if (e)
		buf_cut(list, before);
	arena_free(&a);
	return e;
}

/* --- changes, also of long lists ------------------------------------------------------------------------------------- */

struct known { /* an address of a set */
	struct table_node node;
	struct str address;
};

struct set {
	struct table by_address;
	struct arena memory;
};

static uint64_t hash_of(struct arena *a, struct str address)
{
	char *lower = arena_alloc(a, address.len + 1);

	for (size_t i = 0; i < address.len; i++)
		lower[i] = ascii_lower(address.p[i]);
	return str_hash((struct str){ lower, address.len });
}

static bool set_has(struct set *s, struct str address)
{
	struct table_node *n = table_first(&s->by_address, hash_of(&s->memory, address));

	while (n && !str_eq_nocase(container_of(n, struct known, node)->address, address))
		n = table_next(n);
	return n != NULL;
}

static void set_add(struct set *s, struct str address)
{
	struct known *k = arena_new(&s->memory, struct known);

	k->address = address;
	table_add(&s->by_address, &k->node, hash_of(&s->memory, address));
}

static struct set set_of(struct str list)
{
	struct set s = { 0 };
	struct str member;

	while (members_next(&list, &member))
		set_add(&s, member);
	return s;
}

static void set_free(struct set *s)
{
	table_free(&s->by_address);
	arena_free(&s->memory);
}

enum err members_add(struct str list, struct str more, struct buf *out)
{
	size_t count = members_count(list);
	struct set there = set_of(list);
	struct str member;
	enum err e = OK;

	buf_add_str(out, list);
	while (!e && members_next(&more, &member)) {
		if (set_has(&there, member))
			continue;
		if (++count > MEMBERS_MAX)
			e = ERR_TOO_BIG;
		set_add(&there, member);
		buf_add_str(out, member);
		buf_add_char(out, '\n');
	}
	set_free(&there);
	return e;
}

enum err members_remove(struct str list, struct str less, struct buf *out)
{
	struct set there = set_of(list), gone = set_of(less);
	struct str left = less, member;
	enum err e = OK;

	while (!e && members_next(&left, &member))
		if (!set_has(&there, member))
			e = ERR_ABSENT;
	while (!e && members_next(&list, &member)) {
		if (set_has(&gone, member))
			continue;
		buf_add_str(out, member);
		buf_add_char(out, '\n');
	}
	set_free(&there);
	set_free(&gone);
	return e;
}
