/* aliases.c - see aliases.h. */
#include "storage/route/aliases.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/route/domain.h"
#include "storage/table.h"
#include <stdlib.h>

struct listed { /* a file of the configuration */
	struct listed *next;
	char *path;
	struct alias_file *file; /* NULL: it was never read */
	int64_t look_ms;         /* not looked at before */
	bool wanted;             /* by the configuration in force */
};

struct look { /* one file being looked at, in the lane */
	struct job job;
	struct aliases *aliases;
	struct listed *listed;
	struct alias_file *read; /* anew; NULL: it did not change, or cannot be read */
	bool failed;
};

struct aliases {
	struct worker *w; /* NULL: it stopped, and the look under way frees us */
	struct listed *files;
	bool looking;
};

static struct listed *listed_find(struct aliases *as, const char *path)
{
	struct listed *l = as->files;

	while (l && strcmp(l->path, path))
		l = l->next;
	return l;
}

static void file_took(struct listed *l, struct alias_file *f)
{
	alias_file_free(l->file);
	l->file = f;
	log_info("route", NULL, "aliases read file=%s names=%zu", l->path, alias_file_count(f));
}

static void listed_free(struct listed *l)
{
	alias_file_free(l->file);
	free(l->path);
	free(l);
}

static void aliases_free(struct aliases *as)
{
	while (as->files) {
		struct listed *l = as->files;

		as->files = l->next;
		listed_free(l);
	}
	free(as);
}

/* --- looking ------------------------------------------------------------------------------------------------------------ */

static void look_work(struct job *job)
{
	struct look *k = container_of(job, struct look, job);

	if (k->listed->file && !alias_file_changed(k->listed->file))
		return;
	k->read = alias_file_read(k->listed->path);
	k->failed = !k->read;
}

static void look(struct aliases *as, struct listed *l);

/* Those that were never read are not waited for until somebody asks for a name. */
static void look_unread(struct aliases *as)
{
	for (struct listed *l = as->files; l; l = l->next)
		if (!l->file && l->wanted)
			look(as, l);
}

static void look_done(struct job *job)
{
	struct look *k = container_of(job, struct look, job);
	struct aliases *as = k->aliases;

	as->looking = false;
	if (k->read)
		file_took(k->listed, k->read);
	if (!as->w) {
		aliases_free(as);
	} else {
		k->listed->look_ms = timers_now_ms(as->w->timers) +
		                     (k->failed ? ALIASES_LOOK_AGAIN_MS : ALIASES_LOOK_MS);
		look_unread(as);
	}
	free(k);
}

/* At most one file at a time is being looked at. */
static void look(struct aliases *as, struct listed *l)
{
	struct look *k;

	if (as->looking || l->look_ms > timers_now_ms(as->w->timers))
		return;
	k = mem_new(struct look);
	k->job = (struct job){ .work = look_work, .done = look_done };
	k->aliases = as;
	k->listed = l;
	as->looking = true;
	lane_add(as->w->files, &k->job);
}

/* --- the configuration's files ------------------------------------------------------------------------------------------ */

static void list_take(struct aliases *as, const struct setting_list *files)
{
	for (size_t i = 0; i < files->count; i++) {
		struct listed *l = listed_find(as, files->items[i]);

		if (!l) {
			l = mem_new(struct listed);
			l->path = str_dup(str_of(files->items[i]));
			l->next = as->files;
			as->files = l;
		}
		l->wanted = true;
	}
}

static void lists_take(struct aliases *as)
{
	const struct conf *conf = as->w->conf;

	for (struct listed *l = as->files; l; l = l->next)
		l->wanted = false;
	for (size_t i = 0; i < conf_titles(conf, &domain_settings); i++) {
		const char *title;
		const struct domain_conf *d = conf_titled(conf, &domain_settings, i, &title);

		list_take(as, &d->aliases_files);
	}
}

void aliases_start(struct worker *w)
{
	struct aliases *as = mem_new(struct aliases);

	as->w = w;
	w->aliases = as;
	lists_take(as);
	for (struct listed *l = as->files; l; l = l->next) {
		struct alias_file *f = alias_file_read(l->path);

		if (f)
			file_took(l, f);
		l->look_ms = timers_now_ms(w->timers) + (f ? ALIASES_LOOK_MS : ALIASES_LOOK_AGAIN_MS);
	}
}

/* Files that are new are read in the lane; those named no more are forgotten, unless one is being looked at just now. */
void aliases_reload(struct worker *w)
{
	struct aliases *as = w->aliases;

	lists_take(as);
	for (struct listed **at = &as->files; *at && !as->looking;) {
		struct listed *l = *at;

		if (l->wanted) {
			l->look_ms = 0;
			at = &l->next;
			continue;
		}
		*at = l->next;
		listed_free(l);
	}
	look_unread(as);
}

void aliases_stop(struct worker *w)
{
	struct aliases *as = w->aliases;

	w->aliases = NULL;
	as->w = NULL;
	if (!as->looking)
		aliases_free(as);
}

enum err aliases_find(struct worker *w, const struct setting_list *files, struct str local, const struct alias **alias)
{
	struct arena a = { 0 };
	struct str key = alias_key(&a, local);
	enum err e = ERR_ABSENT;

	*alias = NULL;
	for (size_t i = 0; w->aliases && !*alias && i < files->count; i++) {
		struct listed *l = listed_find(w->aliases, files->items[i]);

		if (l)
			look(w->aliases, l);
		if (!l || !l->file)
			e = ERR_AGAIN;
		else
			*alias = alias_file_find(l->file, key);
	}
	arena_free(&a);
	return *alias ? OK : e;
}
