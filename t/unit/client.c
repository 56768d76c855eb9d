/* The asking end of the control socket, against a server that answers what each test wants: in pieces, at length, with
 * errors, with nonsense, or not at all. */
#include "protocols/cli/client.h"
#include "core/core_settings.h"
#include "core/house.h"
#include "t/tap.h"
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct setting core_rows[] = {
	{ "directory", SETTING_TEXT, "/", NULL, NULL, offsetof(struct core_conf, directory), "Where.", 0 },
	{ 0 },
};
const struct settings core_settings = { "", false, sizeof(struct core_conf), core_rows, "Top.", NULL };
static const struct settings *const tables[] = { &core_settings, NULL };
const struct house house = { .settings = tables };

/* what, answer, then kind, items and the text told */
static const struct {
	const char *what, *answer;
	enum err e;
	size_t items;
	const char *why;
} answers[] = {
	{ "done and nothing else", "{\"done\": true}\n", OK, 0, "" },
	{ "items and done", "{\"item\": {\"name\": \"a\"}}\n{\"item\": {\"name\": \"b\"}}\n{\"done\": true}\n", OK, 2,
		"" },
	{ "an error", "{\"error\": \"not there\"}\n", ERR_ABSENT, 0, "" },
	{ "an error with its reason", "{\"item\": {}}\n{\"error\": \"not permitted\", \"why\": \"so\"}\n", ERR_DENIED,
		1, "so" },
	{ "an error of a newer server", "{\"error\": \"odd\"}\n", ERR_NEVER, 0, "" },
	{ "no JSON", "{\"item\": {}}\nhello\n", ERR_AGAIN, 1, "the server's answer cannot be understood" },
	{ "an end too early", "{\"item\": {}}\n{\"do", ERR_AGAIN, 1, "the server ended the connection" },
	{ "no answer", "", ERR_AGAIN, 0, "the server ended the connection" },
};

/* Takes one connection and one line, sends the answer in pieces of `piece` bytes, ends. */
static pid_t serve(int listener, struct str answer, size_t piece)
{
	pid_t pid = fork();
	char line[1000];
	size_t got = 0;
	ssize_t n;
	int fd;

	if (pid)
		return pid;
	fd = accept(listener, NULL, NULL);
	while ((n = recv(fd, line + got, sizeof(line) - got, 0)) > 0 && line[(got += (size_t)n) - 1] != '\n')
		;
	if (n <= 0)
		_exit(1);
	for (size_t at = 0; at < answer.len; at += piece)
		if (send(fd, answer.p + at, answer.len - at < piece ? answer.len - at : piece, MSG_NOSIGNAL) < 0)
			_exit(1);
	shutdown(fd, SHUT_WR);
	_exit(0);
}

/* Asks once and answers the kind; items is the caller's. */
static enum err ask(
	const struct conf *conf, int listener, struct str answer, size_t piece, json_t **items, struct buf *why)
{
	pid_t pid = serve(listener, answer, piece);
	struct client *c;
	enum err e = client_open(&c, conf, why);

	*items = NULL;
	if (!e)
		e = client_ask(c, json_pack("{s:s}", "do", "status"), items, why);
	client_free(c);
	waitpid(pid, NULL, 0);
	return e;
}

static void test_answers(const struct conf *conf, int listener)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		bool good = true;

		for (size_t piece = 1; piece < 100 && good; piece += 33) {
			struct buf why = { 0 };
			json_t *items;
			enum err e = ask(conf, listener, str_of(answers[i].answer), piece, &items, &why);

			good = e == answers[i].e && json_array_size(items) == answers[i].items &&
			       str_eq(buf_str(&why), str_of(answers[i].why));
			if (!good)
				printf("# %s: " STR_FMT "\n", err_text(e), STR_ARG(buf_str(&why)));
			json_decref(items);
			buf_free(&why);
		}
		ok(good, "%s, whole and in pieces", answers[i].what);
	}
}

static void test_long(const struct conf *conf, int listener)
{
	struct buf answer = { 0 }, why = { 0 };
	json_t *items;

	for (int i = 0; i < 20000; i++)
		buf_printf(&answer, "{\"item\": {\"name\": \"account%d@example.test\"}}\n", i);
	buf_printf(&answer, "{\"item\": {\"text\": \"");
	for (int i = 0; i < 500000; i++)
		buf_add_char(&answer, 'x');
	buf_printf(&answer, "\"}}\n{\"done\": true}\n");
	ok(!ask(conf, listener, buf_str(&answer), 65536, &items, &why) && json_array_size(items) == 20001,
		"an answer may have many items and long ones");
	json_decref(items);
	buf_free(&answer);
	buf_free(&why);
}

static void test_absent(const struct conf *conf)
{
	struct buf why = { 0 };
	struct client *c;

	ok(client_open(&c, conf, &why) == ERR_ABSENT && !c && buf_len(&why) > 0, "without a socket no server runs");
	buf_free(&why);
}

int main(void)
{
	char dir[] = "/tmp/postern-client-XXXXXX", path[300], deep[201] = { 0 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct conf *conf = conf_new(tables);
	struct buf why = { 0 };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);

	memset(deep, 'd', 200); /* a path longer than a socket's address */
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/%s", dir, deep);
	mkdir(path, 0700);
	conf_set(conf, "", NULL, "directory", path, &why);
	test_absent(conf);
	if (chdir(path) || mkdir("run", 0700))
		return 1;
	snprintf(address.sun_path, sizeof(address.sun_path), "run/control");
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 5))
		return 1;
	test_answers(conf, listener);
	test_long(conf, listener);
	close(listener);
	test_absent(conf);
	unlink("run/control");
	rmdir("run");
	rmdir(path);
	rmdir(dir);
	conf_unref(conf);
	buf_free(&why);
	return done();
}
