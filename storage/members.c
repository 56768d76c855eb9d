/* members.c - see members.h. */
#include "storage/members.h"
#include "storage/address.h"
#include "storage/route/idn.h"

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

enum err members_add(struct str list, struct str more, struct buf *out)
{
	size_t count = members_count(list);
	struct str member;

	buf_add_str(out, list);
	while (members_next(&more, &member)) {
		if (members_have(buf_str(out), member))
			continue;
		if (++count > MEMBERS_MAX)
			return ERR_TOO_BIG;
		buf_add_str(out, member);
		buf_add_char(out, '\n');
	}
	return OK;
}

enum err members_remove(struct str list, struct str less, struct buf *out)
{
	struct str left = less, member;

	while (members_next(&left, &member))
		if (!members_have(list, member))
			return ERR_ABSENT;
	while (members_next(&list, &member)) {
		if (members_have(less, member))
			continue;
		buf_add_str(out, member);
		buf_add_char(out, '\n');
	}
	return OK;
}
