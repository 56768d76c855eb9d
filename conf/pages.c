/* pages.c - see pages.h: the terminal's page and the sample. manual.c makes the manual's. */
#include "conf/pages.h"
#include "conf/row_text.h"
#include "core/house.h"
#include "core/setting_value.h"

#define SAMPLE_COLUMNS 100
#define EXAMPLE_TITLE  "example.test"
#define EXAMPLE_ROLE   "smtp" /* the title of `listen` */

void row_text(const struct setting *row, struct buf *out)
{
	size_t len = strlen(row->text);

	if (len && row->text[len - 1] == '.')
		len--;
	buf_printf(out, "%.*s (", (int)len, row->text);
	setting_print_kind(row, false, out);
	buf_printf(out, "%s).", row->flags & SETTING_RESTART ? "; at a restart" : "");
}

void row_header(const struct settings *table, struct buf *out)
{
	const char *title = strcmp(table->section, "listen") ? EXAMPLE_TITLE : EXAMPLE_ROLE;

	buf_printf(out, "%s", table->section);
	if (table->titled)
		buf_printf(out, " \"%s\"", title);
	buf_printf(out, " {");
}

static void settings_of(const struct settings *table, struct buf *out)
{
	const char *indent = *table->section ? "    " : "";

	if (*table->section) {
		row_header(table, out);
		buf_printf(out, "    # %s\n", table->text);
	}
	for (const struct setting *row = table->rows; row->name; row++) {
		buf_printf(out, "%s%s = ", indent, row->name);
		setting_print_default(row, out);
		buf_printf(out, "\n%s    ", indent);
		row_text(row, out);
		buf_add_char(out, '\n');
	}
	buf_printf(out, *table->section ? "}\n\n" : "\n");
}

bool pages_settings(const char *section, struct buf *out)
{
	bool found = !section;

	for (const struct settings *const *t = house.settings; *t; t++) {
		if (section && strcmp((*t)->section, section) != 0)
			continue;
		settings_of(*t, out);
		found = true;
	}
	return found;
}

/* A row in words, as lines that begin with `before`. */
static void sample_text(const char *before, const struct setting *row, struct buf *out)
{
	struct buf text = { 0 };
	struct str left;
	size_t column = 0;

	row_text(row, &text);
	for (left = buf_str(&text); left.len;) {
		ptrdiff_t blank = str_find(left, ' ');
		size_t len = blank < 0 ? left.len : (size_t)blank;

		if (column && column + 1 + len > SAMPLE_COLUMNS) {
			buf_add_char(out, '\n');
			column = 0;
		}
		buf_printf(out, "%s" STR_FMT, column ? " " : before, (int)len, left.p);
		column += 1 + len;
		left = str_cut(left, blank < 0 ? len : len + 1, left.len);
	}
	buf_add_char(out, '\n');
	buf_free(&text);
}

/* The settings of a section, each left at its default by a # before it. */
static void sample_rows(const struct settings *table, struct buf *out)
{
	const char *indent = *table->section ? "\t" : "";

	for (const struct setting *row = table->rows; row->name; row++) {
		sample_text(*table->section ? "\t# " : "# ", row, out);
		buf_printf(out, "%s#%s = ", indent, row->name);
		setting_print_default(row, out);
		buf_printf(out, "\n%s", row[1].name ? "\n" : "");
	}
}

/* Where each service listens on a server of its own. LMTP believes whoever speaks it, so it stays on this machine. */
static void sample_listen(const struct settings *table, struct buf *out)
{
	for (const struct service *const *s = house.services; *s; s++) {
		bool inside = !strcmp((*s)->role, "lmtp");

		if ((*s)->local || !(*s)->port)
			continue;
		buf_printf(out, "%s \"%s\" {\n\taddress = { \"%s:%u\", \"[%s]:%u\" }\n}\n", table->section, (*s)->role,
			inside ? "127.0.0.1" : "0.0.0.0", (*s)->port, inside ? "::1" : "::", (*s)->port);
	}
}

static void sample_titled(const struct settings *table, struct buf *out)
{
	buf_printf(out, "#");
	row_header(table, out);
	buf_add_char(out, '\n');
	for (const struct setting *row = table->rows; row->name; row++) {
		sample_text("#\t# ", row, out);
		buf_printf(out, "#\t%s = ", row->name);
		setting_print_default(row, out);
		buf_printf(out, "\n%s", row[1].name ? "#\n" : "");
	}
	buf_printf(out, "#}\n");
}

static void sample_section(const struct settings *table, struct buf *out)
{
	buf_printf(out, "\n# %s\n", table->text);
	if (!*table->section) {
		buf_add_char(out, '\n');
		sample_rows(table, out);
	} else if (!table->titled) {
		row_header(table, out);
		buf_add_char(out, '\n');
		sample_rows(table, out);
		buf_printf(out, "}\n");
	} else if (!strcmp(table->section, "listen")) {
		for (const struct setting *row = table->rows; row->name; row++) {
			buf_printf(out, "# %s:\n", row->name);
			sample_text("#   ", row, out);
		}
		sample_listen(table, out);
	} else {
		sample_titled(table, out);
	}
}

void pages_sample(struct buf *out)
{
	buf_printf(out,
		"# postern.conf - the configuration of Postern, with every setting at its default.\n"
		"#\n"
		"# Remove the # before a setting to change it. `postern check FILE` tells whether a file is right and\n"
		"# what it would change; `postern reload` has the running server take it up. The same is told by\n"
		"# postern.conf(5). This file is made by `postern help sample`.\n");
	for (const struct settings *const *t = house.settings; *t; t++)
		sample_section(*t, out);
}
