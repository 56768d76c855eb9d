/* settings.c - see settings.h. A snapshot keeps, for each table, one entry (an untitled section) or one for each
 * title; an entry's values are the struct that the table describes. All texts live in the snapshot's arena. */
#include "core/settings.h"
#include "core/arena.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/setting_value.h"
#include <assert.h>
#include <stdlib.h>

#define TITLE_BYTES_MAX 255
#define LIST_ITEMS_MAX  1024

struct entry {
	const char *title; /* NULL in an untitled section */
	void *values;      /* the struct of the table */
	bool *given;       /* for each row: a list's default was replaced */
};

struct section {
	const struct settings *table;
	struct entry *entries; /* in the order of the file */
	size_t *by_title;      /* places in entries, sorted by title */
	size_t count, cap;
};

struct prepared { /* what a module made of the snapshot */
	struct prepared *next;
	const struct preparation *by;
	void *made;
};

struct conf {
	unsigned refs;
	struct section *sections; /* one for each table */
	size_t count;
	const struct settings *const *tables;
	struct prepared *prepared;
	struct arena memory;
};

static void *value_at(const struct entry *e, const struct setting *row)
{
	return (char *)e->values + row->offset;
}

static size_t row_count(const struct settings *table)
{
	size_t n = 0;

	while (table->rows[n].name)
		n++;
	return n;
}

static bool list_add(struct conf *c, struct setting_list *list, struct str item, struct buf *why)
{
	const char **items = (const char **)list->items;

	if (list->count == LIST_ITEMS_MAX) {
		buf_printf(why, "a list has more than %d items", LIST_ITEMS_MAX);
		return false;
	}
	if (!(list->count & (list->count - 1))) { /* full at each power of two */
		items = arena_alloc(&c->memory, sizeof(*items) * (list->count ? 2 * list->count : 1));
		if (list->count)
			memcpy(items, list->items, sizeof(*items) * list->count);
	}
	items[list->count] = arena_dup(&c->memory, item);
	list->items = items;
	list->count++;
	return true;
}

static bool set_number(const struct setting *row, void *at, const char *value, struct buf *why)
{
	int64_t number;

	if (!setting_read(row, value, &number, why))
		return false;
	if (row->type == SETTING_BOOL)
		*(bool *)at = number;
	else
		*(int64_t *)at = number;
	return true;
}

static void set_default(struct conf *c, struct entry *e, const struct setting *row)
{
	struct buf why = { 0 };
	struct str words = str_of(row->def);

	if (row->type == SETTING_TEXT) {
		*(const char **)value_at(e, row) = row->def;
	} else if (row->type == SETTING_LIST) {
		while ((words = str_trim(words)).len) {
			ptrdiff_t space = str_find(words, ' ');
			size_t len = space < 0 ? words.len : (size_t)space;

			list_add(c, value_at(e, row), str_cut(words, 0, len), &why);
			words = str_cut(words, len, words.len);
		}
	} else if (!set_number(row, value_at(e, row), row->def, &why)) {
		log_error("core", NULL, "default of %s is wrong: " STR_FMT, row->name, STR_ARG(buf_str(&why)));
		abort();
	}
	buf_free(&why);
}

static struct entry *entry_new(struct conf *c, struct section *s, const char *title)
{
	struct entry *e;

	if (s->count == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 1;
		s->entries = mem_resize(s->entries, s->cap * sizeof(*s->entries));
		s->by_title = mem_resize(s->by_title, s->cap * sizeof(*s->by_title));
	}
	e = &s->entries[s->count++];
	e->title = title ? arena_dup(&c->memory, str_of(title)) : NULL;
	e->values = arena_alloc(&c->memory, s->table->size);
	e->given = arena_alloc(&c->memory, row_count(s->table) + 1);
	for (const struct setting *row = s->table->rows; row->name; row++)
		set_default(c, e, row);
	return e;
}

struct conf *conf_new(const struct settings *const *tables)
{
	struct conf *c = mem_new(struct conf);

	c->refs = 1;
	c->tables = tables;
	while (tables[c->count])
		c->count++;
	c->sections = mem_alloc(c->count * sizeof(*c->sections));
	for (size_t i = 0; i < c->count; i++) {
		c->sections[i].table = tables[i];
		if (!tables[i]->titled)
			entry_new(c, &c->sections[i], NULL);
	}
	return c;
}

struct conf *conf_ref(struct conf *c)
{
	c->refs++;
	return c;
}

void conf_unref(struct conf *c)
{
	if (!c || --c->refs)
		return;
	for (struct prepared *p = c->prepared; p; p = p->next)
		p->by->free(p->made);
	for (size_t i = 0; i < c->count; i++) {
		free(c->sections[i].entries);
		free(c->sections[i].by_title);
	}
	free(c->sections);
	arena_free(&c->memory);
	free(c);
}

static struct section *section_named(const struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->count; i++)
		if (!strcmp(c->sections[i].table->section, name))
			return &c->sections[i];
	return NULL;
}

static struct section *section_of(const struct conf *c, const struct settings *table)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->sections[i].table == table)
			return &c->sections[i];
	assert(!"a table that the snapshot was made without");
	return NULL;
}

/* The place in by_title where `title` is, or would have to go. */
static size_t place_of(const struct section *s, const char *title, bool *found)
{
	size_t low = 0, high = s->count;

	*found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(s->entries[s->by_title[middle]].title, title);

		if (!order) {
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct entry *entry_titled(const struct section *s, const char *title)
{
	bool found;
	size_t place = place_of(s, title, &found);

	return found ? &s->entries[s->by_title[place]] : NULL;
}

bool conf_add_title(struct conf *c, const char *section, const char *title, struct buf *why)
{
	struct section *s = section_named(c, section);
	bool found;
	size_t place;

	if (!s || !s->table->titled) {
		buf_printf(why, "there is no section %.60s with a title", section);
		return false;
	}
	if (!*title || strlen(title) > TITLE_BYTES_MAX) {
		buf_printf(why, "%s: a title has from 1 to %d bytes", section, TITLE_BYTES_MAX);
		return false;
	}
	if (!setting_text_fits(title, why))
		return false;
	place = place_of(s, title, &found);
	if (found)
		return true;
	entry_new(c, s, title);
	memmove(s->by_title + place + 1, s->by_title + place, (s->count - 1 - place) * sizeof(*s->by_title));
	s->by_title[place] = s->count - 1;
	return true;
}

/* imap.idle_timeout, listen "smtp".address, workers */
static void print_name(const struct settings *table, const char *title, const char *name, struct buf *out)
{
	buf_printf(out, "%s", table->section);
	if (title) {
		buf_add_char(out, ' ');
		setting_print_quoted(title, out);
	}
	buf_printf(out, "%s%s", *table->section ? "." : "", name);
}

static bool set_value(
	struct conf *c, struct entry *e, const struct setting *row, bool *given, const char *value, struct buf *why)
{
	void *at = value_at(e, row);

	if (row->type == SETTING_LIST) {
		struct setting_list *list = at;

		if (!value || !*given)
			*list = (struct setting_list){ 0 };
		*given = true;
		return !value || (setting_text_fits(value, why) && list_add(c, list, str_of(value), why));
	}
	if (!value) {
		buf_printf(why, "needs a value");
		return false;
	}
	if (row->type != SETTING_TEXT)
		return set_number(row, at, value, why);
	if (!setting_text_fits(value, why))
		return false;
	*(const char **)at = arena_dup(&c->memory, str_of(value));
	return true;
}

bool conf_set(
	struct conf *c, const char *section, const char *title, const char *name, const char *value, struct buf *why)
{
	struct section *s = section_named(c, section);
	struct entry *e = s && s->table->titled == (title != NULL) ? title ? entry_titled(s, title) : s->entries : NULL;
	size_t before;

	assert(!c->prepared);
	if (!e) {
		buf_printf(why, "there is no section %.60s%s%.60s", section, title ? " " : "", title ? title : "");
		return false;
	}
	for (const struct setting *row = s->table->rows; row->name; row++) {
		if (strcmp(row->name, name) != 0)
			continue;
		before = buf_len(why);
		print_name(s->table, title, name, why);
		buf_printf(why, ": ");
		if (!set_value(c, e, row, &e->given[row - s->table->rows], value, why))
			return false;
		buf_cut(why, before);
		return true;
	}
	buf_printf(why, "%s%sthere is no setting %.60s", section, *section ? ": " : "", name);
	return false;
}

bool conf_check(const struct conf *c, struct buf *why)
{
	bool fine = true;

	for (size_t i = 0; i < c->count; i++) {
		const struct section *s = &c->sections[i];

		for (size_t k = 0; s->table->check && k < s->count; k++) {
			if (s->table->check(s->entries[k].values, s->entries[k].title, why))
				continue;
			fine = false;
			if (!buf_len(why) || buf_data(why)[buf_len(why) - 1] != '\n')
				buf_add_char(why, '\n');
		}
	}
	return fine;
}

const void *conf_section(const struct conf *c, const struct settings *table)
{
	assert(!table->titled);
	return section_of(c, table)->entries[0].values;
}

size_t conf_titles(const struct conf *c, const struct settings *table)
{
	assert(table->titled);
	return section_of(c, table)->count;
}

const void *conf_titled(const struct conf *c, const struct settings *table, size_t place, const char **title)
{
	const struct section *s = section_of(c, table);

	assert(table->titled && place < s->count);
	*title = s->entries[place].title;
	return s->entries[place].values;
}

const void *conf_find(const struct conf *c, const struct settings *table, const char *title)
{
	const struct entry *e;

	assert(table->titled);
	e = entry_titled(section_of(c, table), title);
	return e ? e->values : NULL;
}

const void *conf_prepared(const struct conf *c, const struct preparation *p)
{
	struct conf *keeper = (struct conf *)c; /* to whoever reads settings it stays what it was */
	struct prepared *at = c->prepared;

	while (at && at->by != p)
		at = at->next;
	if (!at) {
		at = arena_new(&keeper->memory, struct prepared);
		at->by = p;
		at->made = p->make(c);
		at->next = keeper->prepared;
		keeper->prepared = at;
	}
	return at->made;
}

static void dump_entry(const struct settings *table, const struct entry *e, enum conf_dump how, struct buf *out)
{
	const char *indent = *table->section ? "\t" : "";

	if (*table->section) {
		buf_printf(out, "%s", table->section);
		if (e->title) {
			buf_add_char(out, ' ');
			setting_print_quoted(e->title, out);
		}
		buf_printf(out, " {\n");
	}
	for (const struct setting *row = table->rows; row->name; row++) {
		buf_printf(out, "%s%s = ", indent, row->name);
		setting_print(row, e->values, how, out);
		buf_add_char(out, '\n');
	}
	if (*table->section)
		buf_printf(out, "}\n");
}

void conf_dump(const struct conf *c, enum conf_dump how, struct buf *out)
{
	for (size_t i = 0; i < c->count; i++)
		for (size_t k = 0; k < c->sections[i].count; k++)
			dump_entry(c->sections[i].table, &c->sections[i].entries[k], how, out);
}

static void diff_entry(const struct settings *table, const struct entry *old, const struct entry *new, struct buf *out)
{
	for (const struct setting *row = table->rows; row->name; row++) {
		struct buf before = { 0 }, after = { 0 };

		setting_print(row, old->values, CONF_WHOLE, &before);
		setting_print(row, new->values, CONF_WHOLE, &after);
		if (!str_eq(buf_str(&before), buf_str(&after))) {
			print_name(table, new->title, row->name, out);
			buf_printf(out, ": ");
			setting_print(row, old->values, CONF_FOR_PEOPLE, out);
			buf_printf(out, " -> ");
			setting_print(row, new->values, CONF_FOR_PEOPLE, out);
			buf_printf(out, "%s\n", row->flags & SETTING_RESTART ? " (at a restart)" : "");
		}
		buf_free(&before);
		buf_free(&after);
	}
}

static void diff_title(const struct settings *table, const char *title, const char *what, struct buf *out)
{
	buf_printf(out, "%s ", table->section);
	setting_print_quoted(title, out);
	buf_printf(out, ": %s\n", what);
}

/* Titles that went, then those that stay or came, in their new order; one that came is compared with the defaults. */
static void diff_titled(const struct section *old, const struct section *new, struct conf *defaults, struct buf *out)
{
	const struct entry *plain = entry_new(defaults, section_of(defaults, new->table), NULL);

	for (size_t i = 0; i < old->count; i++)
		if (!entry_titled(new, old->entries[i].title))
			diff_title(old->table, old->entries[i].title, "removed", out);
	for (size_t i = 0; i < new->count; i++) {
		const struct entry *before = entry_titled(old, new->entries[i].title);

		if (!before)
			diff_title(new->table, new->entries[i].title, "added", out);
		diff_entry(new->table, before ? before : plain, &new->entries[i], out);
	}
}

void conf_diff(const struct conf *old, const struct conf *new, struct buf *out)
{
	struct conf *defaults = conf_new(new->tables);

	assert(old->tables == new->tables);
	for (size_t i = 0; i < new->count; i++) {
		if (new->sections[i].table->titled)
			diff_titled(&old->sections[i], &new->sections[i], defaults, out);
		else
			diff_entry(new->sections[i].table, old->sections[i].entries, new->sections[i].entries, out);
	}
	conf_unref(defaults);
}
