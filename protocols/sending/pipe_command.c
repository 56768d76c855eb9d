/* pipe_command.c - see pipe_command.h. */
#include "protocols/sending/pipe_command.h"
#include <ctype.h>
#include <string.h>
#include <sysexits.h>

#define REPLY_MAX 1000 /* bytes of the program's output that become a reply */

static const struct setting rows[] = {
	{ "command", SETTING_LIST, "", NULL, NULL, offsetof(struct pipe_conf, command),
		"The program's name with its whole path, then its arguments. %{sender}, %{recipient}, %{local} and "
		"%{domain} (of the recipient), %{id} and %{size} in them stand for what they say of the message. It "
		"reads the message from its standard input, is run once for each recipient, as the server's user, "
		"without a shell, in /, and says by its exit status what became of it: 0 delivered, 75 to be tried "
		"again, others refused.",
		0 },
	{ "timeout", SETTING_DURATION, "10m", "1s", "1d", offsetof(struct pipe_conf, timeout_ms),
		"How long it may take; then it is ended, and the message is tried again later.", 0 },
	{ 0 },
};

enum value { VALUE_SENDER, VALUE_RECIPIENT, VALUE_LOCAL, VALUE_DOMAIN, VALUE_ID, VALUE_SIZE, VALUES };
static const char *const values[VALUES] = { "%{sender}", "%{recipient}", "%{local}", "%{domain}", "%{id}", "%{size}" };

/* Which of the values stands at the front of the text; VALUES if none. */
static enum value value_at(struct str text)
{
	unsigned v = 0;

	while (v < VALUES && !str_starts(text, str_of(values[v])))
		v++;
	return (enum value)v;
}

static bool argument_good(struct str text)
{
	ptrdiff_t at;

	while ((at = str_find(text, '%')) >= 0) {
		text = str_cut(text, (size_t)at, text.len);
		if (str_starts(text, STR("%{")) && value_at(text) == VALUES)
			return false;
		text = str_cut(text, 1, text.len);
	}
	return true;
}

static bool check(const void *settings, const char *title, struct buf *why)
{
	const struct pipe_conf *conf = settings;
	bool good = true;

	if (!conf->command.count || conf->command.items[0][0] != '/') {
		buf_printf(why, "pipe \"%s\": command: wants the whole path of a program\n", title);
		good = false;
	}
	for (size_t i = 0; i < conf->command.count; i++)
		if (!argument_good(str_of(conf->command.items[i]))) {
			buf_printf(why, "pipe \"%s\": command: there is no such value: \"%s\"\n", title,
				conf->command.items[i]);
			good = false;
		}
	return good;
}

const struct settings pipe_settings = { "pipe", true, sizeof(struct pipe_conf), rows,
	"A program that takes mail; a route says which: to = \"pipe:NAME\". How many run at a time is said by "
	"`destination`.",
	check };

bool pipe_is_there(const struct conf *c, const void *route, const char *title, struct buf *why)
{
	struct str name = route_pipe(route);
	const char *there;

	for (size_t i = 0; i < conf_titles(c, &pipe_settings); i++) {
		conf_titled(c, &pipe_settings, i, &there);
		if (str_eq(str_of(there), name))
			return true;
	}
	if (!name.len)
		return true;
	buf_printf(why, "route \"%s\": to: there is no section pipe \"" STR_FMT "\"\n", title, STR_ARG(name));
	return false;
}

/* --- arguments ------------------------------------------------------------------------------------------------------------ */

struct facts { /* of one run */
	struct str value[VALUES];
};

/* An address or a local part that begins with "-" gets quotes around its local part. */
static struct str harmless(struct arena *a, struct str text)
{
	ptrdiff_t at = str_rfind(text, '@');
	size_t local = at < 0 ? text.len : (size_t)at;

	if (!text.len || text.p[0] != '-')
		return text;
	return str_of(arena_printf(a, "\"" STR_FMT "\"" STR_FMT, STR_ARG(str_cut(text, 0, local)),
		STR_ARG(str_cut(text, local, text.len))));
}

static const char *argument(struct arena *a, struct str template, const struct facts *f)
{
	struct buf out = { 0 };
	const char *made;

	while (template.len) {
		enum value v = value_at(template);

		if (v == VALUES)
			buf_add_char(&out, template.p[0]);
		else
			buf_add_str(&out, f->value[v]);
		template = str_cut(template, v == VALUES ? 1 : strlen(values[v]), template.len);
	}
	made = arena_dup(a, buf_str(&out));
	buf_free(&out);
	return made;
}

const char *const *pipe_arguments(const struct pipe_conf *conf, struct arena *a, const struct queue_envelope *envelope,
	struct str recipient, uint64_t size)
{
	const char **arguments = arena_alloc(a, (conf->command.count + 1) * sizeof(*arguments));
	ptrdiff_t at = str_rfind(recipient, '@');
	struct facts f = { { STR_NONE } };

	f.value[VALUE_SENDER] = harmless(a, envelope->sender);
	f.value[VALUE_RECIPIENT] = harmless(a, recipient);
	f.value[VALUE_LOCAL] = harmless(a, str_cut(recipient, 0, at < 0 ? recipient.len : (size_t)at));
	f.value[VALUE_DOMAIN] = str_cut(recipient, (size_t)(at + 1), recipient.len);
	f.value[VALUE_ID] = envelope->id;
	f.value[VALUE_SIZE] = str_of(arena_printf(a, "%llu", (unsigned long long)size));
	for (size_t i = 0; i < conf->command.count; i++)
		arguments[i] = argument(a, str_of(conf->command.items[i]), &f);
	return arguments;
}

const char *const *pipe_alias_arguments(struct arena *a, struct str command)
{
	const char **arguments = arena_alloc(a, 4 * sizeof(*arguments));

	arguments[0] = "/bin/sh";
	arguments[1] = "-c";
	arguments[2] = arena_dup(a, command);
	return arguments;
}

/* Without what a careless script would take for more than text. */
static const char *variable(struct arena *a, const char *name, struct str value)
{
	char *made = arena_printf(a, "%s=" STR_FMT, name, STR_ARG(value));

	for (char *c = made + strlen(name) + 1; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("!@%-_=+:,./", *c))
			*c = '_';
	return made;
}

const char *const *pipe_alias_environment(struct arena *a, struct str sender, struct str recipient)
{
	const char **made = arena_alloc(a, 5 * sizeof(*made));
	size_t at = (size_t)str_rfind(recipient, '@');

	made[0] = variable(a, "SENDER", sender);
	made[1] = variable(a, "RECIPIENT", recipient);
	made[2] = variable(a, "LOCAL", str_cut(recipient, 0, at));
	made[3] = variable(a, "DOMAIN", str_cut(recipient, at + 1, recipient.len));
	return made;
}

/* --- what it said ---------------------------------------------------------------------------------------------------------- */

static const struct {
	int number;
	const char *status, *words;
} exits[] = {
	{ EX_USAGE, "5.3.5", "the program was used wrongly" },
	{ EX_DATAERR, "5.6.0", "the message is wrong" },
	{ EX_NOINPUT, "5.3.0", "an input could not be read" },
	{ EX_NOUSER, "5.1.1", "there is no such user" },
	{ EX_NOHOST, "5.1.2", "there is no such host" },
	{ EX_UNAVAILABLE, "5.3.0", "the service is not available" },
	{ EX_SOFTWARE, "5.3.0", "an error in the program" },
	{ EX_OSERR, "5.3.0", "an error of the system" },
	{ EX_OSFILE, "5.3.0", "a file of the system is missing" },
	{ EX_CANTCREAT, "5.2.0", "a file could not be made" },
	{ EX_IOERR, "5.3.0", "an error of input or output" },
	{ EX_TEMPFAIL, "4.3.0", "it cannot be delivered now" },
	{ EX_PROTOCOL, "5.5.0", "an error of the protocol" },
	{ EX_NOPERM, "5.7.0", "that is not permitted" },
	{ EX_CONFIG, "5.3.5", "the program is configured wrongly" },
};

/* Printable text: control characters and what is not ASCII become question marks, line ends stay between lines. */
static struct str plain(struct arena *a, struct str text)
{
	char *made;

	text = str_trim(text);
	text.len = text.len < REPLY_MAX ? text.len : REPLY_MAX;
	made = arena_dup(a, text);
	for (size_t i = 0; i < text.len; i++)
		if ((made[i] < ' ' && made[i] != '\n') || made[i] > '~')
			made[i] = made[i] == '\t' || made[i] == '\r' ? ' ' : '?';
	return (struct str){ made, text.len };
}

/* "5.7.1 words" -> "5.7.1"; empty without. */
static struct str enhanced_status(struct str text)
{
	size_t at = 1;
	struct str word;

	if (text.len < 6 || !strchr("245", text.p[0]))
		return STR_NONE;
	for (unsigned part = 0; part < 2; part++) {
		size_t digits = 0;

		if (at >= text.len || text.p[at++] != '.')
			return STR_NONE;
		while (at < text.len && text.p[at] >= '0' && text.p[at] <= '9' && digits < 3)
			at++, digits++;
		if (!digits)
			return STR_NONE;
	}
	word = str_cut(text, 0, at);
	return at < text.len && text.p[at] == ' ' ? word : STR_NONE;
}

static void exited(int number, struct arena *a, struct outcome *o)
{
	const char *words = "the program refused it";

	o->kind = number == 0 ? OUTCOME_DELIVERED : number == EX_TEMPFAIL ? OUTCOME_DEFERRED : OUTCOME_REFUSED;
	o->status = number ? STR("5.3.0") : STR("2.0.0");
	for (size_t i = 0; i < sizeof(exits) / sizeof(*exits); i++)
		if (exits[i].number == number) {
			o->status = str_of(exits[i].status);
			words = exits[i].words;
		}
	o->reply = number ? str_of(arena_printf(a, "%s (exit status %d)", words, number))
	                  : STR("delivered to a program");
}

void pipe_outcome(const struct program_end *end, struct arena *a, struct outcome *o)
{
	struct str said = plain(a, end->output), status = enhanced_status(said);

	*o = (struct outcome){ .kind = OUTCOME_DEFERRED, .status = STR("4.3.0"), .diagnostic_type = STR("x-postern") };
	if (end->how == PROGRAM_EXITED)
		exited(end->number, a, o);
	else if (end->how == PROGRAM_SIGNALLED)
		o->reply = str_of(arena_printf(a, "the program was ended by signal %d", end->number));
	else if (end->how == PROGRAM_LATE)
		o->reply = STR("the program took too long and was ended");
	else
		o->reply = str_of(arena_printf(a, "the program cannot be started: %s", strerror(end->number)));
	if (end->how != PROGRAM_EXITED || !said.len)
		return;
	if (status.len && status.p[0] == o->status.p[0])
		o->status = status;
	o->reply = said;
}
