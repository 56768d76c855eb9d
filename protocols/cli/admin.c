/* admin.c - see admin.h. */
#include "protocols/cli/admin.h"
#include "core/core_settings.h"
#include "core/home.h"
#include "core/house.h"
#include "core/mem.h"
#include "protocols/cli/client.h"
#include <stdlib.h>
#include <unistd.h>

struct admin {
	struct conf *conf;
	struct client *client; /* NULL: offline */
	int directory, lock;   /* offline; -1 while there is none */
};

static enum err open_offline(struct admin *a, struct buf *why)
{
	const struct core_conf *conf = conf_section(a->conf, &core_settings);
	struct owner owner;
	pid_t holder;
	enum err e = owner_find(&owner, conf->user, why);

	if (e)
		return e;
	if ((a->directory = home_open(conf->directory, &owner, why)) < 0)
		return ERR_AGAIN;
	if ((a->lock = home_lock(a->directory, &owner, &holder, why)) < 0) {
		if (holder)
			buf_printf(why, "; it is just starting or stopping: try again in a moment");
		return ERR_AGAIN;
	}
	if ((e = owner_become(&owner)))
		buf_printf(why, "cannot become the server's user %s", owner.name);
	else if ((e = house.store_recover(a->conf, a->directory)))
		buf_printf(why, "what the last server left in its journals cannot be settled; the lines above say why");
	return e;
}

struct admin *admin_open(const char *conf_path, int *status)
{
	struct admin *a = mem_new(struct admin);
	struct buf why = { 0 };
	enum err e = ERR_NEVER;

	a->directory = a->lock = -1;
	if ((a->conf = client_conf(conf_path)) && (e = client_open(&a->client, a->conf, &why)) == ERR_ABSENT) {
		buf_clear(&why);
		e = open_offline(a, &why);
	}
	if (e && a->conf)
		client_complain(STR_FMT, STR_ARG(buf_str(&why)));
	*status = e ? EXIT_FAILED : EXIT_FINE;
	if (e) {
		admin_free(a);
		a = NULL;
	}
	buf_free(&why);
	return a;
}

void admin_free(struct admin *a)
{
	if (!a)
		return;
	client_free(a->client);
	if (a->lock >= 0)
		close(a->lock);
	if (a->directory >= 0)
		close(a->directory);
	conf_unref(a->conf);
	free(a);
}

static void set_text(json_t *request, const char *name, struct str text)
{
	json_t *value = text.len ? json_stringn(text.p, text.len) : NULL;

	if (value)
		json_object_set_new(request, name, value);
}

static enum err do_online(struct admin *a, const struct order *o, struct buf *names, struct buf *why)
{
	json_t *items, *request = json_pack("{s:s, s:b, s:b, s:b}", "do", o->what, "admin", o->admin, "members_only",
			       o->members_only, "skip_author", o->skip_author);
	enum err e;

	set_text(request, "name", o->name);
	set_text(request, "password", o->password);
	set_text(request, "hash", o->hash);
	set_text(request, "to", o->to);
	set_text(request, "owner", o->owner);
	set_text(request, "bytes", o->bytes);
	set_text(request, "messages", o->messages);
	e = client_ask(a->client, request, &items, why);
	for (size_t i = 0; names && i < json_array_size(items); i++) {
		const json_t *item = json_array_get(items, i);
		const char *name = json_string_value(json_object_get(item, "name"));
		const char *setting = json_string_value(json_object_get(item, "setting"));
		const char *value = json_string_value(json_object_get(item, "value"));

		if (name)
			buf_printf(names, "%s\n", name);
		else if (setting && value)
			buf_printf(names, "%s = %s\n", setting, value);
	}
	json_decref(items);
	return e;
}

enum err admin_do(struct admin *a, const struct order *o, struct buf *names, struct buf *why)
{
	return a->client ? do_online(a, o, names, why) : offline_do(a->conf, a->directory, o, names);
}
