/* prepare.c - see prepare.h. The tables are libidn's. */
#include "storage/mail/prepare.h"
#include "storage/mail/utf8.h"
#include <stringprep.h>

#define GROWTH_MAX 18 /* bytes that NFKC makes of one, at most */

static bool is_plain(struct str text) /* ASCII that can be seen, which SASLprep leaves alone */
{
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] < ' ' || text.p[i] > '~')
			return false;
	return text.len > 0;
}

enum err prepare(struct str text, struct arena *a, struct str *prepared)
{
	size_t room;
	char *bytes;

	if (!text.len || text.len > PREPARE_BYTES_MAX)
		return ERR_MISTAKE;
	*prepared = text;
	if (is_plain(text))
		return OK;
	if (!utf8_valid(text) || str_find(text, '\0') >= 0)
		return ERR_MISTAKE;
	room = GROWTH_MAX * text.len + 1;
	bytes = arena_alloc(a, room);
	memcpy(bytes, text.p, text.len);
	/* unassigned code points are let through: the tables are those of Unicode 3.2, people's keyboards are not */
	if (stringprep(bytes, room, 0, stringprep_saslprep) != STRINGPREP_OK || !bytes[0]) {
		explicit_bzero(bytes, room); /* a password, maybe */
		return ERR_MISTAKE;
	}
	*prepared = str_of(bytes);
	return OK;
}
