/* commands.c - see commands.h. */
#include "conf/commands.h"
#include "conf/pages.h"
#include <stdio.h>

#define COLUMNS 79 /* of the terminal */

static int help_run(int argc, char **argv, const char *conf_path);

const struct command conf_commands[] = {
	{ "help", "\nsettings [SECTION]\nCOMMAND\nsample\nmanual",
		"Tells what the commands or the settings are. sample prints a whole configuration file with every "
		"setting "
		"at its default, manual prints the page of postern.conf(5) in roff.",
		help_run },
	{ 0 },
};

static const struct command run_command = { "run", "",
	"Serves in the foreground. HUP reloads the configuration, TERM and INT finish and stop, USR1 opens the logs "
	"again, "
	"USR2 hands over to a new program.",
	NULL };

static const struct command *command_named(const char *name)
{
	if (!strcmp(name, run_command.name))
		return &run_command;
	for (const struct command *const *t = house.commands; *t; t++)
		for (const struct command *c = *t; c->name; c++)
			if (!strcmp(c->name, name))
				return c;
	return NULL;
}

/* A line for each form that the command has. */
static void print_usage(const struct command *c)
{
	struct str left = str_of(c->usage);
	const char *before = "Usage:";

	for (;;) {
		ptrdiff_t end = str_find(left, '\n');
		struct str form = str_cut(left, 0, end < 0 ? left.len : (size_t)end);

		printf("%s postern [-c FILE] %s%s" STR_FMT "\n", before, c->name, form.len ? " " : "", STR_ARG(form));
		if (end < 0)
			return;
		left = str_cut(left, (size_t)end + 1, left.len);
		before = "      ";
	}
}

/* Breaks lines between words, since terminals break them anywhere. */
static void print_wrapped(struct str text)
{
	size_t column = 0;

	while (text.len) {
		ptrdiff_t blank = str_find(text, ' ');
		size_t len = blank < 0 ? text.len : (size_t)blank;

		if (column + 1 + len > COLUMNS)
			column = 0;
		printf("%s" STR_FMT, column ? " " : "\n", (int)len, text.p);
		column += len + (column > 0);
		text = str_cut(text, blank < 0 ? len : len + 1, text.len);
	}
	putchar('\n');
}

static bool print_help(const char *name)
{
	const struct command *c = command_named(name);

	if (!c)
		return false;
	print_usage(c);
	print_wrapped(str_of(c->text));
	return true;
}

bool command_helped(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--help"))
			return print_help(argv[0]);
	return false;
}

static void print_line(const struct command *c)
{
	const char *stop = strstr(c->text, ". ");

	printf("  %-9s %.*s\n", c->name, stop ? (int)(stop - c->text) + 1 : (int)strlen(c->text), c->text);
}

static int print_commands(void)
{
	printf("Usage: postern [-c FILE] COMMAND ...\n\n");
	print_line(&run_command);
	for (const struct command *const *t = house.commands; *t; t++)
		for (const struct command *c = *t; c->name; c++)
			print_line(c);
	printf("\n-c FILE names the configuration, by default /etc/postern/postern.conf. `postern help COMMAND` tells "
	       "more\n"
	       "of a command, `postern help settings` of the configuration.\n");
	return 0;
}

static int print_page(struct buf *page)
{
	bool fine = fwrite(buf_data(page), 1, buf_len(page), stdout) == buf_len(page);

	buf_free(page);
	return fine && !fflush(stdout) ? 0 : 1;
}

static int help_settings(const char *section)
{
	struct buf page = { 0 };

	if (pages_settings(section, &page))
		return print_page(&page);
	fprintf(stderr, "postern: there is no section %s; these are: ", section);
	for (const struct settings *const *t = house.settings; *t; t++)
		if (*(*t)->section)
			fprintf(stderr, "%s%s", (*t)->section, t[1] ? ", " : "\n");
	return 1;
}

static int help_run(int argc, char **argv, const char *conf_path)
{
	const char *what = argc > 1 ? argv[1] : "";
	struct buf page = { 0 };

	(void)conf_path;
	if (!*what || !strcmp(what, "--help"))
		return print_commands();
	if (!strcmp(what, "settings"))
		return help_settings(argc > 2 ? argv[2] : NULL);
	if (!strcmp(what, "sample"))
		return pages_sample(&page), print_page(&page);
	if (!strcmp(what, "manual"))
		return pages_manual(&page), print_page(&page);
	if (print_help(what))
		return 0;
	fprintf(stderr, "postern: there is no command %s; `postern help` lists them\n", what);
	return 1;
}
