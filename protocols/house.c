/* house.c - the list of everything that the house has: settings, services, calls, commands, and the store's hooks. */
#include "core/house.h"
#include "conf/commands.h"
#include "conf/conf.h"
#include "core/core_settings.h"
#include "core/worker.h"
#include "protocols/cli/commands.h"
#include "protocols/cli/control.h"
#include "storage/login.h"
#include <stddef.h>

static const struct settings *const settings[] = {
	&core_settings,
	&log_settings,
	&tls_settings,
	&listen_settings,
	&login_settings,
	NULL,
};

static const struct service *const services[] = {
	&control_service,
	NULL,
};

static const struct call_type *const calls[] = {
	control_calls,
	NULL,
};

static const struct command *const commands[] = {
	cli_commands,
	conf_commands,
	NULL,
};

static enum err store_recover(const struct conf *conf, int directory)
{
	(void)conf, (void)directory;
	return OK;
}

static enum err store_start(struct worker *w)
{
	(void)w;
	return OK;
}

static void store_reload(struct worker *w, const struct conf *old)
{
	(void)w, (void)old;
}

static void store_stop(struct worker *w, void (*done)(struct worker *w))
{
	done(w);
}

const struct house house = {
	.settings = settings,
	.services = services,
	.calls = calls,
	.commands = commands,
	.conf_read = conf_read,
	.conf_parse = conf_parse,
	.store_recover = store_recover,
	.worker_start = store_start,
	.worker_reload = store_reload,
	.worker_stop = store_stop,
};
