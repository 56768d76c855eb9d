/* house.c - the list of everything that the house has: settings, services, calls, commands, and the store's hooks. */
#include "core/house.h"
#include "conf/commands.h"
#include "conf/conf.h"
#include "core/core_settings.h"
#include "core/limit.h"
#include "core/overload.h"
#include "core/worker.h"
#include "dns/resolve.h"
#include "protocols/cli/commands.h"
#include "protocols/cli/control.h"
#include "protocols/cli/queue_slice.h"
#include "protocols/imap/imap.h"
#include "protocols/pop3/pop3.h"
#include "protocols/sending/pipe_command.h"
#include "protocols/sending/sending.h"
#include "protocols/smtp/smtp.h"
#include "protocols/smtp_client/smtp_client.h"
#include "storage/journal/journal.h"
#include "storage/queue/queue.h"
#include "storage/route/aliases.h"
#include "storage/route/copies.h"
#include "storage/route/domain.h"
#include "storage/route/next_hop.h"
#include "storage/route/relay.h"
#include "storage/route/rewrite.h"
#include "storage/store.h"
#include <stddef.h>

static const struct settings *const settings[] = {
	&core_settings,
	&log_settings,
	&tls_settings,
	&certificate_settings,
	&listen_settings,
	&limit_settings,
	&overload_settings,
	&dns_settings,
	&login_settings,
	&store_settings,
	&journal_settings,
	&queue_settings,
	&sending_settings,
	&destination_settings,
	&domain_settings,
	&rewrite_settings,
	&copy_settings,
	&route_settings,
	&pipe_settings,
	&smtp_settings,
	&submission_settings,
	&relay_settings,
	&smtp_client_settings,
	&imap_settings,
	&pop3_settings,
	NULL,
};

static const struct conf_rule rules[] = {
	{ &route_settings, pipe_is_there },
	{ 0 },
};

static const struct service *const services[] = {
	&control_service,
	&smtp_service,
	&submission_service,
	&submissions_service,
	&lmtp_service,
	&imap_service,
	&imaps_service,
	&pop3_service,
	&pop3s_service,
	NULL,
};

static const struct call_type *const calls[] = {
	control_calls,
	control_kick_calls,
	slice_calls,
	store_calls,
	smtp_calls,
	NULL,
};

static const struct command *const commands[] = {
	cli_commands,
	conf_commands,
	NULL,
};

static enum err start(struct worker *w)
{
	enum err e = store_start(w);

	if (e)
		return e;
	aliases_start(w);
	dns_start(w);
	e = queue_start(w);
	return e ? e : sending_start(w);
}

static void reload(struct worker *w, const struct conf *old)
{
	store_reload(w, old);
	aliases_reload(w);
	dns_reload(w);
	queue_reload(w);
	sending_reload(w);
}

static void (*told)(struct worker *w);

static void stopped(struct worker *w)
{
	queue_end(w, told);
}

/* What the queue still has to write is settled with the store's journal. */
static void sent(struct worker *w)
{
	queue_stop(w);
	dns_stop(w);
	aliases_stop(w);
	store_stop(w, stopped);
}

static void stop(struct worker *w, void (*done)(struct worker *w))
{
	told = done;
	sending_stop(w, sent);
}

const struct house house = {
	.settings = settings,
	.rules = rules,
	.services = services,
	.calls = calls,
	.commands = commands,
	.conf_read = conf_read,
	.conf_parse = conf_parse,
	.store_recover = store_recover,
	.worker_start = start,
	.worker_reload = reload,
	.worker_stop = stop,
};
