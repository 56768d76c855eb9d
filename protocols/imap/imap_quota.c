/* imap_quota.c - QUOTA (RFC 9208): an account has one root, named "", that holds for all its mailboxes. Who may set it is an
 * administrator at the command line. */
#include "protocols/imap/imap_session.h"

#define STORAGE_UNIT 1024 /* RFC 9208, 5.1 */

static void write_resource(struct buf *out, const char *name, uint64_t used, uint64_t limit, uint64_t unit, bool first)
{
	buf_printf(out, "%s%s %llu %llu", first ? "" : " ", name, (unsigned long long)((used + unit - 1) / unit),
		(unsigned long long)(limit / unit));
}

/* Resources without a limit are not named (RFC 9208, 4.2.1). */
static void write_quota(struct imap *s, const struct quota_status *q)
{
	struct buf *out = conn_out(s->conn);

	buf_add_str(out, STR("* QUOTA \"\" ("));
	if (q->limit.bytes)
		write_resource(out, "STORAGE", q->used.bytes, q->limit.bytes, STORAGE_UNIT, true);
	if (q->limit.messages)
		write_resource(out, "MESSAGE", q->used.messages, q->limit.messages, 1, !q->limit.bytes);
	buf_add_str(out, STR(")\r\n"));
	conn_wrote(s->conn);
}

static void quota_told(void *user, enum err e, const struct quota_status *q)
{
	struct imap *s = user;

	s->waiting = NULL;
	if (!e)
		write_quota(s, q);
	imap_resume(s, imap_outcome(s, e));
}

enum next cmd_getquota(struct imap *s, struct args *a)
{
	struct str root;

	args_space(a);
	root = args_astring(a);
	if (!args_end(a))
		return imap_bad(s, "GETQUOTA wants the name of a quota root");
	if (root.len)
		return imap_no(s, "[NONEXISTENT] there is no such quota root");
	s->waiting = store_quota(s->worker, s->account, quota_told, s);
	return WAIT;
}

/* The mailbox need not be there (RFC 9208, 4.1.2). */
enum next cmd_getquotaroot(struct imap *s, struct args *a)
{
	struct str name;
	struct buf *out;

	args_space(a);
	name = args_mailbox(a);
	if (!args_end(a))
		return imap_bad(s, "GETQUOTAROOT wants a mailbox name");
	out = conn_out(s->conn);
	buf_add_str(out, STR("* QUOTAROOT "));
	imap_write_mailbox(out, name);
	buf_add_str(out, STR(" \"\"\r\n"));
	conn_wrote(s->conn);
	s->waiting = store_quota(s->worker, s->account, quota_told, s);
	return WAIT;
}

enum next cmd_setquota(struct imap *s, struct args *a)
{
	args_space(a);
	args_astring(a);
	args_space(a);
	args_char(a, '(');
	for (bool first = true; !a->bad && !args_peek(a, ')'); first = false) {
		if (!first)
			args_space(a);
		args_atom(a);
		args_space(a);
		args_atom(a); /* of 63 bits */
	}
	args_char(a, ')');
	if (!args_end(a))
		return imap_bad(s, "SETQUOTA wants a quota root and a list of resources and limits");
	return imap_no(s, "[NOPERM] an administrator sets quotas, by `postern account quota`");
}
