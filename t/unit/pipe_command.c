/* Programs that take mail: their arguments, and what their exit status and their words mean. */
#include "protocols/sending/pipe_command.h"
#include "core/house.h"
#include "t/tap.h"
#include <errno.h>

static const struct settings *const tables[] = { &pipe_settings, NULL };
const struct house house = { .settings = tables };

static const struct {
	const char *what, *template, *sender, *recipient, *argument;
} arguments[] = {
	{ "no value in it", "--all", "a@x.test", "b@y.test", "--all" },
	{ "the recipient", "%{recipient}", "a@x.test", "b@y.test", "b@y.test" },
	{ "several", "%{local}@%{domain}=%{sender}", "a@x.test", "b@y.test", "b@y.test=a@x.test" },
	{ "message and size", "%{id}/%{size}", "a@x.test", "b@y.test", "1-2.1/123" },
	{ "no sender", "-f%{sender}.", "", "b@y.test", "-f." },
	{ "what a shell would take for more", "%{recipient}", "", "\"$(x);`y` *\"@y.test", "\"$(x);`y` *\"@y.test" },
	{ "a recipient like an option", "%{recipient}", "", "-rf@y.test", "\"-rf\"@y.test" },
	{ "a sender like an option", "%{sender}", "--help@x.test", "b@y.test", "\"--help\"@x.test" },
	{ "a local part like an option", "%{local}", "", "-rf@y.test", "\"-rf\"" },
	{ "a value within a value", "%{recipient}", "", "%{sender}@y.test", "%{sender}@y.test" },
	{ "other signs", "100% %% %", "", "b@y.test", "100% %% %" },
};

static struct conf *conf_with(const char *const *command, bool *good)
{
	struct conf *conf = conf_new(tables);
	struct buf why = { 0 };

	conf_add_title(conf, "pipe", "x", &why);
	for (; *command; command++)
		conf_set(conf, "pipe", "x", "command", *command, &why);
	*good = conf_check(conf, &why);
	buf_free(&why);
	return conf;
}

static void test_arguments(void)
{
	struct queue_envelope envelope = { .id = STR("1-2.1") };

	for (size_t i = 0; i < sizeof(arguments) / sizeof(*arguments); i++) {
		const char *command[] = { "/bin/true", arguments[i].template, NULL };
		struct arena a = { 0 };
		bool good;
		struct conf *conf = conf_with(command, &good);
		const char *const *argv;

		envelope.sender = str_of(arguments[i].sender);
		argv = pipe_arguments(
			conf_find(conf, &pipe_settings, "x"), &a, &envelope, str_of(arguments[i].recipient), 123);
		if (!ok(good && !strcmp(argv[0], "/bin/true") && !strcmp(argv[1], arguments[i].argument) && !argv[2],
			    "%s", arguments[i].what))
			printf("# %s\n", argv[1]);
		arena_free(&a);
		conf_unref(conf);
	}
}

static void test_check(void)
{
	static const char *const wrong[][3] = { { NULL }, { "true", NULL }, { "/bin/true", "%{nobody}", NULL },
		{ "/bin/true", "x%{", NULL } };
	bool good;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		conf_unref(conf_with(wrong[i], &good));
		ok(!good, "a wrong command is found: %zu", i);
	}
}

static const struct {
	const char *what;
	int how, number;
	const char *output;
	enum outcome_kind kind;
	const char *status, *reply;
} outcomes[] = {
	{ "success", PROGRAM_EXITED, 0, "", OUTCOME_DELIVERED, "2.0.0", "delivered to a program" },
	{ "success with words", PROGRAM_EXITED, 0, "filed\n", OUTCOME_DELIVERED, "2.0.0", "filed" },
	{ "not now", PROGRAM_EXITED, 75, "", OUTCOME_DEFERRED, "4.3.0", "it cannot be delivered now (exit status 75)" },
	{ "not now, with a status", PROGRAM_EXITED, 75, "4.2.2 full", OUTCOME_DEFERRED, "4.2.2", "4.2.2 full" },
	{ "nobody of that name", PROGRAM_EXITED, 67, "", OUTCOME_REFUSED, "5.1.1",
		"there is no such user (exit status 67)" },
	{ "any other number", PROGRAM_EXITED, 1, "", OUTCOME_REFUSED, "5.3.0",
		"the program refused it (exit status 1)" },
	{ "a status of its own", PROGRAM_EXITED, 1, "5.7.1 no\r\nnever\n", OUTCOME_REFUSED, "5.7.1",
		"5.7.1 no \nnever" },
	{ "a status of another class does not count", PROGRAM_EXITED, 1, "4.7.1 no", OUTCOME_REFUSED, "5.3.0",
		"4.7.1 no" },
	{ "nor what only looks like one", PROGRAM_EXITED, 1, "5.7.1no", OUTCOME_REFUSED, "5.3.0", "5.7.1no" },
	{ "nor one of too many digits", PROGRAM_EXITED, 1, "5.7.1234 no", OUTCOME_REFUSED, "5.3.0", "5.7.1234 no" },
	{ "control characters are not passed on", PROGRAM_EXITED, 1, "a\033[2Jb\tc\200", OUTCOME_REFUSED, "5.3.0",
		"a?[2Jb c?" },
	{ "a signal", PROGRAM_SIGNALLED, 11, "half", OUTCOME_DEFERRED, "4.3.0", "the program was ended by signal 11" },
	{ "too long", PROGRAM_LATE, 0, "half", OUTCOME_DEFERRED, "4.3.0", "the program took too long and was ended" },
	{ "not started", PROGRAM_FAILED, ENOENT, "", OUTCOME_DEFERRED, "4.3.0",
		"the program cannot be started: No such file or directory" },
};

static void test_outcomes(void)
{
	for (size_t i = 0; i < sizeof(outcomes) / sizeof(*outcomes); i++) {
		struct program_end end = { outcomes[i].how, outcomes[i].number, str_of(outcomes[i].output) };
		struct arena a = { 0 };
		struct outcome o;

		pipe_outcome(&end, &a, &o);
		if (!ok(o.kind == outcomes[i].kind && str_eq(o.status, str_of(outcomes[i].status)) &&
				    str_eq(o.reply, str_of(outcomes[i].reply)),
			    "%s", outcomes[i].what))
			printf("# %d " STR_FMT " " STR_FMT "\n", (int)o.kind, STR_ARG(o.status), STR_ARG(o.reply));
		arena_free(&a);
	}
}

int main(void)
{
	test_arguments();
	test_check();
	test_outcomes();
	return done();
}
