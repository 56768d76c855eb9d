/* smtp_expanded.c - who wants to hear of success and wrote to a name that stands for several is told so once, for that name
 * (RFC 3461, 5.2.7): what becomes of each of them is nobody's wish. A list that answers for its mail has it delivered, an
 * alias of several is expanded. The report is made of the message in the queue and outlives the session that brought it. */
#include "core/log.h"
#include "core/mem.h"
#include "protocols/sending/report.h"
#include "protocols/smtp/smtp_session.h"
#include "storage/route/srs.h"
#include <stdlib.h>

struct telling {
	struct worker *worker;
	struct arena memory;
	struct str sender, envid;
	enum queue_ret ret;
	struct queue_recipient named; /* as the sender named it */
	struct report_recipient recipient;
	struct report report;
	char id[64]; /* of the transaction */
};

static void told(void *user, enum err e)
{
	struct telling *t = user;

	if (e)
		log_warn("smtp", t->id, "no report action=expanded to=<" STR_FMT "> reason=\"%s\"", STR_ARG(t->sender),
			err_text(e));
	queue_copy_free(t->report.copy);
	arena_free(&t->memory);
	free(t);
}

static void opened(void *user, enum err e, struct queue_copy *copy)
{
	struct telling *t = user;

	t->report.copy = copy;
	if (e) {
		told(t, e);
		return;
	}
	copy->envelope.sender = t->sender;
	copy->envelope.envid = t->envid;
	copy->envelope.ret = t->ret;
	report_send(t->worker, &t->report, told, t);
}

static void tell(const struct smtp *s, const struct smtp_recipient *r, const struct smtp_target *by)
{
	struct queue_message *m = queue_find(s->worker->queue, by->put->id);
	struct telling *t;

	if (!m)
		return;
	t = mem_new(struct telling);
	t->worker = s->worker;
	t->sender = arena_str(&t->memory, s->sender);
	t->envid = arena_str(&t->memory, s->mail.envid);
	t->ret = s->mail.ret;
	memcpy(t->id, s->id, sizeof(t->id));
	t->named = (struct queue_recipient){ .address = arena_str(&t->memory, r->address),
		.local = true,
		.original = STR(""),
		.orcpt = arena_str(&t->memory, r->orcpt),
		.notify = NOTIFY_SUCCESS };
	t->recipient = (struct report_recipient){ .recipient = &t->named,
		.outcome = { .kind = OUTCOME_DELIVERED,
			.status = STR("2.0.0"),
			.reply = STR(""),
			.remote = STR(""),
			.diagnostic_type = STR("x-postern") } };
	t->report = (struct report){
		.action = smtp_is_list(by) ? REPORT_DELIVERED : REPORT_EXPANDED, .recipients = &t->recipient, .count = 1
	};
	queue_open(s->worker->queue, m, opened, t);
}

bool smtp_is_list(const struct smtp_target *t)
{
	return t->sender.len && !srs_is(t->sender);
}

bool smtp_expands(const struct smtp *s, const struct smtp_target *t)
{
	return t->forwarded && (s->recipients[t->recipient].count > 1 || smtp_is_list(t));
}

void smtp_expanded(const struct smtp *s)
{
	for (size_t i = 0; i < s->recipient_count; i++) {
		const struct smtp_recipient *r = &s->recipients[i];
		const struct smtp_target *by = NULL;

		if (!(r->notify & NOTIFY_SUCCESS) || !s->sender.len)
			continue;
		for (size_t k = r->targets; k < r->targets + r->count; k++)
			if (s->targets[k].put && smtp_expands(s, &s->targets[k]))
				by = &s->targets[k];
		if (by)
			tell(s, r, by);
	}
}
