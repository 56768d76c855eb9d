/* imap_command.c - the table of commands (RFC 3501, 6), and those that need no file of their own. */
#include "core/log.h"
#include "protocols/imap/imap_session.h"

#define ANY (GREETED | KNOWN | SELECTED)
#define IN  (KNOWN | SELECTED)

static const struct imap_command rows[] = {
	/* word          allowed in  besides     does */
	{ "CAPABILITY", ANY, 0, cmd_capability },
	{ "NOOP", ANY, 0, cmd_noop },
	{ "LOGOUT", ANY, 0, cmd_logout },
	{ "LOGIN", GREETED, 0, cmd_login },
	{ "AUTHENTICATE", GREETED, 0, cmd_authenticate },
	{ "ID", ANY, 0, cmd_id },
	{ "ENABLE", KNOWN, 0, cmd_enable },
	{ "NAMESPACE", IN, 0, cmd_namespace },
	{ "STARTTLS", GREETED, 0, cmd_starttls },
	{ "SELECT", IN, 0, cmd_select },
	{ "EXAMINE", IN, 0, cmd_examine },
	{ "CREATE", IN, 0, cmd_create },
	{ "DELETE", IN, 0, cmd_delete },
	{ "RENAME", IN, 0, cmd_rename },
	{ "SUBSCRIBE", IN, 0, cmd_subscribe },
	{ "UNSUBSCRIBE", IN, 0, cmd_unsubscribe },
	{ "LIST", IN, 0, cmd_list },
	{ "LSUB", IN, 0, cmd_lsub },
	{ "STATUS", IN, 0, cmd_status },
	{ "GETQUOTA", IN, 0, cmd_getquota },
	{ "GETQUOTAROOT", IN, 0, cmd_getquotaroot },
	{ "SETQUOTA", IN, 0, cmd_setquota },
	{ "APPEND", IN, 0, cmd_append },
	{ "IDLE", IN, 0, cmd_idle },
	{ "CHECK", SELECTED, 0, cmd_check },
	{ "CLOSE", SELECTED, 0, cmd_close },
	{ "UNSELECT", SELECTED, 0, cmd_unselect },
	{ "EXPUNGE", SELECTED, 0, cmd_expunge },
	{ "FETCH", SELECTED, KEEPS_SEQS, cmd_fetch },
	{ "STORE", SELECTED, KEEPS_SEQS, cmd_store },
	{ "SEARCH", SELECTED, KEEPS_SEQS, cmd_search },
	{ "COPY", SELECTED, 0, cmd_copy },
	{ "MOVE", SELECTED, 0, cmd_move },
	{ "EXPUNGE", SELECTED, IS_UID, cmd_expunge },
	{ "FETCH", SELECTED, IS_UID, cmd_fetch },
	{ "STORE", SELECTED, IS_UID, cmd_store },
	{ "SEARCH", SELECTED, IS_UID, cmd_search },
	{ "COPY", SELECTED, IS_UID, cmd_copy },
	{ "MOVE", SELECTED, IS_UID, cmd_move },
};

const struct imap_command *imap_command_find(struct str word, bool uid)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (str_eq_nocase(word, str_of(rows[i].word)) && !!(rows[i].besides & IS_UID) == uid)
			return &rows[i];
	return NULL;
}

void imap_capabilities(const struct imap *s, struct buf *out)
{
	static const char *const literals[] = { " LITERAL+", " LITERAL-", "" };

	buf_printf(out, "IMAP4rev1%s", literals[imap_conf(s)->literals]);
	buf_add_str(out, STR(" IDLE UIDPLUS CHILDREN SASL-IR"
			     " BINARY ENABLE ID MOVE MULTIAPPEND NAMESPACE QUOTA UNSELECT"
			     " LIST-EXTENDED LIST-STATUS SPECIAL-USE CREATE-SPECIAL-USE"));
	if (s->state == GREETED)
		imap_login_capabilities(s, out);
}

enum next cmd_capability(struct imap *s, struct args *a)
{
	struct buf *out;

	if (!args_end(a))
		return imap_bad(s, "CAPABILITY takes nothing");
	out = conn_out(s->conn);
	buf_add_str(out, STR("* CAPABILITY "));
	imap_capabilities(s, out);
	buf_add_str(out, STR("\r\n"));
	conn_wrote(s->conn);
	return imap_ok(s, "CAPABILITY done");
}

enum next cmd_noop(struct imap *s, struct args *a)
{
	if (!args_end(a))
		return imap_bad(s, "NOOP takes nothing");
	return imap_ok(s, "NOOP done");
}

/* CHECK (RFC 3501, 6.4.1): what was said to be done is on the disk already. */
enum next cmd_check(struct imap *s, struct args *a)
{
	if (!args_end(a))
		return imap_bad(s, "CHECK takes nothing");
	return imap_ok(s, "CHECK done");
}

enum next cmd_logout(struct imap *s, struct args *a)
{
	if (!args_end(a))
		return imap_bad(s, "LOGOUT takes nothing");
	imap_leave(s);
	imap_untagged(s, "BYE see you");
	imap_ok(s, "LOGOUT done");
	return CLOSE;
}
