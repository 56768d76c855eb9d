/* imap_status.c - STATUS (RFC 3501, 6.3.10), and the STATUS that LIST returns (RFC 5819). */
#include "protocols/imap/imap_listing.h"
#include "protocols/imap/imap_session.h"

static const char *const status_words[] = { "MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN" };
#define STATUS_WORDS (sizeof(status_words) / sizeof(*status_words))

unsigned args_status_items(struct args *a)
{
	unsigned items = 0;

	args_char(a, '(');
	do {
		struct str word = args_atom(a);
		size_t i = 0;

		while (i < STATUS_WORDS && !str_eq_nocase(word, str_of(status_words[i])))
			i++;
		if (i < STATUS_WORDS)
			items |= 1u << i;
		else
			args_wrong(a);
	} while (args_try(a, ' '));
	args_char(a, ')');
	return a->bad ? 0 : items;
}

void imap_write_status(struct imap *s, struct str name, unsigned items, const struct mailbox_status *st)
{
	uint32_t values[STATUS_WORDS] = { st->messages, st->recent, st->uidnext, st->uidvalidity, st->unseen };
	struct buf *out = conn_out(s->conn);
	const char *space = "";

	buf_add_str(out, STR("* STATUS "));
	imap_write_mailbox(out, name);
	buf_add_str(out, STR(" ("));
	for (size_t i = 0; i < STATUS_WORDS; i++)
		if (items & 1u << i) {
			buf_printf(out, "%s%s %u", space, status_words[i], values[i]);
			space = " ";
		}
	buf_add_str(out, STR(")\r\n"));
	conn_wrote(s->conn);
}

static void status_told(void *user, enum err e, const struct mailbox_status *st)
{
	struct imap *s = user;

	s->waiting = NULL;
	if (!e)
		imap_write_status(s, s->work->name, s->work->status_items, st);
	imap_resume(s, imap_outcome(s, e));
}

enum next cmd_status(struct imap *s, struct args *a)
{
	args_space(a);
	s->work->name = args_mailbox(a);
	args_space(a);
	s->work->status_items = args_status_items(a);
	if (!args_end(a))
		return imap_bad(s, "STATUS wants a mailbox name and a list of items");
	s->waiting = store_status(s->worker, s->account, s->work->name, status_told, s);
	return WAIT;
}
