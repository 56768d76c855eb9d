/* main.c - the command line: `postern [-c FILE] COMMAND ...`. `run` is core's own, all else is the house's. */
#include "core/house.h"
#include "core/master.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CONF_PATH "/etc/postern/postern.conf"

static const struct command *command_find(const char *name)
{
	for (const struct command *const *table = house.commands; *table; table++)
		for (const struct command *c = *table; c->name; c++)
			if (!strcmp(c->name, name))
				return c;
	return NULL;
}

/* Whoever started us may have closed them, and then the first files opened would be taken for them. */
static bool standard_files_open(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

int main(int argc, char **argv)
{
	static char *help[] = { "help", NULL }, *help_run[] = { "help", "run", NULL };
	const char *conf_path = CONF_PATH;
	const struct command *c;
	char **args = argv + 1;
	int count = argc - 1;

	if (!standard_files_open())
		return 1;
	if (count >= 2 && !strcmp(args[0], "-c")) {
		conf_path = args[1];
		args += 2;
		count -= 2;
	}
	if (!count || !strcmp(args[0], "--help")) {
		args = help;
		count = 1;
	} else if (!strcmp(args[0], "run") && count == 1) {
		return master_run(conf_path, argv);
	} else if (!strcmp(args[0], "run")) {
		args = help_run;
		count = 2;
	}
	if ((c = command_find(args[0])))
		return c->run(count, args, conf_path);
	fprintf(stderr, "postern: there is no command %s; `postern help` lists them\n", args[0]);
	return 2;
}
