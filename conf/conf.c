/* conf.c - see conf.h. libconfuse reads the syntax and finds unknown names; each value goes to conf_set as text, so
 * that settings.c alone knows values. A wrong value is noted and reading goes on; what leaves the syntax in doubt ends
 * it. libconfuse's lexer is one for the process and its callbacks carry no pointer of ours: hence `now`. */
#include "conf/conf.h"
#include "conf/clean.h"
#include "core/arena.h"
#include "core/house.h"
#include "core/setting_value.h"
#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define ROOT       "root" /* libconfuse's name for what is outside of any section */
#define READ_BYTES 65536

struct place { /* where a section ends: what its check finds is told there */
	struct place *next;
	const char *section, *title, *file;
	int line;
};

struct reading {
	struct conf *conf;
	struct buf *why;
	struct arena memory;
	struct place *places; /* newest first */
	const char *file;     /* being read, an included one perhaps */
	unsigned depth;       /* of files within files */
	size_t bytes;         /* read so far, of all files */
	unsigned errors;
};

static struct reading *now;

static bool read_text(struct str text, const char *name, cfg_t *cfg);

__attribute__((format(printf, 2, 3))) static void complain(int line, const char *fmt, ...)
{
	va_list ap;

	buf_printf(now->why, "%s:%d: ", now->file, line);
	va_start(ap, fmt);
	buf_vprintf(now->why, fmt, ap);
	va_end(ap);
	buf_add_char(now->why, '\n');
	if (++now->errors == CONF_ERRORS_MAX)
		buf_printf(now->why, "%s: these are %d errors; the rest is not read\n", now->file, CONF_ERRORS_MAX);
}

/* A complaint for each line of text. */
static void complain_buf(int line, struct buf *text)
{
	struct str left = str_trim(buf_str(text));
	ptrdiff_t end;

	while ((end = str_find(left, '\n')) >= 0) {
		complain(line, STR_FMT, (int)end, left.p);
		left = str_cut(left, (size_t)end + 1, left.len);
	}
	complain(line, STR_FMT, STR_ARG(left));
}

/* What a callback answers when it has complained: whether libconfuse is to end here. */
static int enough(void)
{
	return now->errors >= CONF_ERRORS_MAX;
}

static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	struct buf text = { 0 };

	buf_vprintf(&text, fmt, ap);
	if (strcmp(cfg->name, ROOT) != 0)
		buf_printf(&text, " in section %s", cfg->name);
	complain_buf(cfg->line, &text);
	buf_free(&text);
}

static const char *section_name(const cfg_t *cfg)
{
	return strcmp(cfg->name, ROOT) ? cfg->name : "";
}

/* "imap|idle_timeout = 30m" is libconfuse's other way to write a section; ours has one. */
static bool belongs(const cfg_t *cfg, const cfg_opt_t *opt)
{
	for (const cfg_opt_t *o = cfg->opts; o->name; o++)
		if (o == opt)
			return true;
	return false;
}

static int take_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	const char *section = section_name(cfg);
	bool first = (opt->flags & CFGF_LIST) && opt->nvalues == 1;
	struct buf why = { 0 };

	*(const char **)result = value;
	if (!belongs(cfg, opt)) {
		complain(cfg->line, "%s is a setting of a section: write it within the section's braces", opt->name);
		return enough();
	}
	if ((cfg->title && !conf_add_title(now->conf, section, cfg->title, &why)) ||
		(first && !conf_set(now->conf, section, cfg->title, opt->name, NULL, &why)) ||
		!conf_set(now->conf, section, cfg->title, opt->name, value, &why))
		complain_buf(cfg->line, &why);
	buf_free(&why);
	return enough();
}

/* `name = {}` calls nobody, so lists that were given and hold nothing are looked for when their section ends. */
static void take_empty_lists(const cfg_t *cfg)
{
	for (const cfg_opt_t *o = cfg->opts; o->name; o++)
		if ((o->flags & CFGF_LIST) && (o->flags & CFGF_MODIFIED) && !o->nvalues)
			conf_set(now->conf, section_name(cfg), cfg->title, o->name, NULL, now->why);
}

static int take_section(cfg_t *cfg, cfg_opt_t *opt)
{
	const cfg_t *section = opt->values[opt->nvalues - 1]->section;
	struct place *p = arena_new(&now->memory, struct place);
	struct buf why = { 0 };

	p->next = now->places;
	p->section = arena_dup(&now->memory, str_of(section->name));
	p->title = section->title ? arena_dup(&now->memory, str_of(section->title)) : NULL;
	p->file = now->file;
	p->line = cfg->line;
	now->places = p;
	if (section->title && !conf_add_title(now->conf, section->name, section->title, &why))
		complain_buf(cfg->line, &why);
	else
		take_empty_lists(section);
	buf_free(&why);
	return enough();
}

int conf_read_file(const char *path, struct buf *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), number;
	ssize_t got = 0;

	if (fd < 0)
		return errno;
	while (buf_len(text) <= CONF_BYTES_MAX && (got = read(fd, buf_room(text, READ_BYTES), READ_BYTES)) > 0)
		buf_added(text, (size_t)got);
	number = got < 0 ? errno : got > 0 ? EFBIG : 0;
	close(fd);
	return number;
}

static const char *beside(const char *file, const char *name)
{
	ptrdiff_t slash = str_rfind(str_of(file), '/');

	if (*name == '/' || slash < 0)
		return arena_dup(&now->memory, str_of(name));
	return arena_printf(&now->memory, "%.*s/%s", (int)slash, file, name);
}

static int take_include(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv)
{
	struct buf text = { 0 };
	const char *path;
	bool fine = false;
	int number;

	(void)opt;
	if (argc != 1) {
		complain(cfg->line, "include wants one file: include(\"FILE\")");
		return 1;
	}
	path = beside(now->file, argv[0]);
	if (now->depth > CONF_INCLUDE_DEPTH)
		complain(cfg->line, "include: files within files, more than %d deep", CONF_INCLUDE_DEPTH);
	else if ((number = conf_read_file(path, &text)))
		complain(cfg->line, "include: %s: %s", path, strerror(number));
	else
		fine = read_text(buf_str(&text), path, cfg);
	buf_free(&text);
	return !fine;
}

/* Reads the first file's text, or another's in its midst; of the reading all but what was read is as before. */
static bool read_text(struct str text, const char *name, cfg_t *cfg)
{
	const char *file = now->file;
	int line = cfg->line;
	struct buf clean = { 0 }, why = { 0 };
	unsigned bad_line;
	FILE *fp = NULL;
	bool fine = false;

	now->file = name;
	now->depth++;
	now->bytes += text.len;
	if (now->bytes > CONF_BYTES_MAX)
		complain(1, "the configuration is larger than %u bytes", CONF_BYTES_MAX);
	else if (!conf_clean(text, &clean, &bad_line, &why))
		complain_buf((int)bad_line, &why);
	else if (!buf_len(&clean))
		fine = true; /* fmemopen makes no file of no bytes */
	else if (!(fp = fmemopen(buf_data(&clean), buf_len(&clean), "r")))
		complain(1, "cannot be read: %s", strerror(errno));
	else
		fine = cfg_parse_fp(cfg, fp) == CFG_SUCCESS;
	if (fp)
		fclose(fp);
	buf_free(&clean);
	buf_free(&why);
	now->depth--;
	now->file = file;
	cfg->line = line;
	return fine;
}

static cfg_opt_t opt_of(const struct setting *row)
{
	cfg_opt_t o = { .name = row->name, .type = CFGT_STR, .parsecb = take_value, .flags = CFGF_NODEFAULT };
	struct buf def = { 0 };

	if (row->type == SETTING_LIST) { /* its default matters to `name += { ... }` */
		setting_print_default(row, &def);
		o.def.parsed = arena_dup(&now->memory, buf_str(&def));
		o.flags = CFGF_LIST;
		buf_free(&def);
	}
	return o;
}

static size_t add_rows(const struct settings *table, cfg_opt_t *opts)
{
	size_t n = 0;

	for (; table->rows[n].name; n++)
		opts[n] = opt_of(&table->rows[n]);
	return n;
}

static size_t row_count(const struct settings *table)
{
	size_t n = 0;

	while (table->rows[n].name)
		n++;
	return n;
}

/* The tables as libconfuse wants them; it keeps a copy. */
static cfg_t *grammar(const struct settings *const *tables)
{
	size_t count = 2; /* include, and the end */
	cfg_opt_t *root, *at;

	for (const struct settings *const *t = tables; *t; t++)
		count += *(*t)->section ? 1 : row_count(*t);
	at = root = arena_alloc(&now->memory, count * sizeof(*root));
	for (const struct settings *const *t = tables; *t; t++) {
		cfg_opt_t *rows;

		if (!*(*t)->section) {
			at += add_rows(*t, at);
			continue;
		}
		rows = arena_alloc(&now->memory, (row_count(*t) + 1) * sizeof(*rows));
		add_rows(*t, rows);
		*at++ = (cfg_opt_t){
			.name = (*t)->section,
			.type = CFGT_SEC,
			.subopts = rows,
			.flags = (*t)->titled ? CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES : CFGF_NONE,
			.validcb = take_section,
		};
	}
	*at = (cfg_opt_t){ .name = "include", .type = CFGT_FUNC, .func = take_include };
	return cfg_init(root, CFGF_NONE);
}

/* What is wrong with a section, at its place in the file. */
static void complain_of(const struct settings *table, const char *title, struct buf *why)
{
	const char *file = now->file;
	const struct place *p = now->places;

	while (p && (strcmp(p->section, table->section) != 0 || (title && strcmp(p->title, title) != 0)))
		p = p->next;
	now->file = p ? p->file : file;
	complain_buf(p ? p->line : 1, why);
	now->file = file;
}

static void check_section(const struct settings *table, const void *values, const char *title)
{
	struct buf why = { 0 };

	if (table->check && !table->check(values, title, &why))
		complain_of(table, title, &why);
	buf_free(&why);
}

static void check_rule(const struct conf_rule *r)
{
	for (size_t i = 0; i < conf_titles(now->conf, r->table) && !enough(); i++) {
		struct buf why = { 0 };
		const char *title;
		const void *values = conf_titled(now->conf, r->table, i, &title);

		if (!r->check(now->conf, values, title, &why))
			complain_of(r->table, title, &why);
		buf_free(&why);
	}
}

static void check_all(const struct settings *const *tables)
{
	for (const struct settings *const *t = tables; *t && !enough(); t++) {
		if (!(*t)->titled) {
			check_section(*t, conf_section(now->conf, *t), NULL);
			continue;
		}
		for (size_t i = 0; i < conf_titles(now->conf, *t) && !enough(); i++) {
			const char *title;
			const void *values = conf_titled(now->conf, *t, i, &title);

			check_section(*t, values, title);
		}
	}
}

struct conf *conf_parse(struct str text, const char *name, struct buf *why)
{
	struct reading reading = { .conf = conf_new(house.settings), .why = why, .file = name };
	cfg_t *cfg;

	now = &reading;
	cfg = grammar(house.settings);
	cfg_set_error_function(cfg, on_error);
	if (!read_text(text, name, cfg) && !reading.errors)
		complain(1, "cannot be understood");
	take_empty_lists(cfg);
	if (!reading.errors)
		check_all(house.settings);
	for (const struct conf_rule *r = house.rules; r && r->table && !reading.errors; r++)
		check_rule(r);
	cfg_free(cfg);
	now = NULL;
	arena_free(&reading.memory);
	if (!reading.errors)
		return reading.conf;
	conf_unref(reading.conf);
	return NULL;
}

struct conf *conf_read(const char *path, struct buf *why)
{
	struct buf text = { 0 };
	struct conf *c = NULL;
	int number = conf_read_file(path, &text);

	if (number)
		buf_printf(why, "%s: cannot be read: %s\n", path, strerror(number));
	else
		c = conf_parse(buf_str(&text), path, why);
	buf_free(&text);
	return c;
}
