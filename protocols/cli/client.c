/* client.c - see client.h. */
#include "protocols/cli/client.h"
#include "conf/conf.h"
#include "core/core_settings.h"
#include "core/mem.h"
#include "protocols/cli/control.h"
#include "protocols/cli/lines.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_BYTES_MAX (256u << 20)
#define ANSWER_WAIT_S    120
#define READ_BYTES       65536
#define COLUMNS_MAX      16

struct client {
	int fd;
	struct buf in;
};

void client_complain(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "postern: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

struct conf *client_conf(const char *conf_path)
{
	struct buf why = { 0 };
	struct conf *conf = conf_read(conf_path, &why);

	if (!conf)
		fprintf(stderr, STR_FMT, STR_ARG(buf_str(&why)));
	buf_free(&why);
	return conf;
}

/* A directory's path may be longer than a socket's address has room for; below /proc it is not. */
static bool control_address(const char *directory, int *held, struct sockaddr_un *address)
{
	*held = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/" CONTROL_SOCKET, *held);
	return *held >= 0;
}

enum err client_open(struct client **out, const struct conf *conf, struct buf *why)
{
	const char *directory = ((const struct core_conf *)conf_section(conf, &core_settings))->directory;
	struct timeval wait = { .tv_sec = ANSWER_WAIT_S };
	struct sockaddr_un address;
	struct client *c = NULL;
	enum err e = OK;
	int held = -1, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || !control_address(directory, &held, &address) ||
		connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		e = errno == ECONNREFUSED ? ERR_ABSENT : err_of_errno(errno);
		buf_printf(why, "%s/" CONTROL_SOCKET ": %s%s", directory, strerror(errno),
			e == ERR_DENIED ? "; run this as root or as the server's user" : "");
	} else {
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
		c = mem_new(struct client);
		c->fd = fd;
	}
	if (held >= 0)
		close(held);
	if (!c && fd >= 0)
		close(fd);
	*out = c;
	return e;
}

void client_free(struct client *c)
{
	if (!c)
		return;
	close(c->fd);
	buf_free(&c->in);
	free(c);
}

static bool send_all(struct client *c, struct str bytes)
{
	while (bytes.len) {
		ssize_t n = send(c->fd, bytes.p, bytes.len, MSG_NOSIGNAL);

		if (n < 0)
			return false;
		bytes = str_cut(bytes, (size_t)n, bytes.len);
	}
	return true;
}

/* The next line as JSON; NULL: there will be none. */
static json_t *next_line(struct client *c, struct buf *why)
{
	ptrdiff_t end;
	size_t seen = 0;
	json_t *line;

	while ((end = str_find(str_cut(buf_str(&c->in), seen, buf_len(&c->in)), '\n')) < 0) {
		ssize_t n;

		seen = buf_len(&c->in);
		n = seen > ANSWER_BYTES_MAX ? 0 : recv(c->fd, buf_room(&c->in, READ_BYTES), READ_BYTES, 0);
		if (n <= 0) {
			buf_printf(why, "%s",
				n == 0            ? "the server ended the connection"
				: errno == EAGAIN ? "the server does not answer"
						  : strerror(errno));
			return NULL;
		}
		buf_added(&c->in, (size_t)n);
	}
	line = json_loadb(buf_data(&c->in), seen + (size_t)end, 0, NULL);
	buf_take(&c->in, seen + (size_t)end + 1);
	if (!line)
		buf_printf(why, "the server's answer cannot be understood");
	return line;
}

static enum err kind_of(const char *text)
{
	for (unsigned e = OK + 1; e < ERR_KINDS; e++)
		if (!strcmp(text, err_text((enum err)e)))
			return (enum err)e;
	return ERR_NEVER;
}

enum err client_ask_each(struct client *c, json_t *request, client_take *take, void *user, struct buf *why)
{
	struct buf line = { 0 };
	enum err e = ERR_KINDS;

	lines_add_json(&line, request);
	if (!send_all(c, buf_str(&line))) {
		buf_printf(why, "%s", strerror(errno));
		e = ERR_AGAIN;
	}
	buf_free(&line);
	while (e == ERR_KINDS) {
		json_t *line = next_line(c, why), *item = json_object_get(line, "item");
		const char *error = json_string_value(json_object_get(line, "error"));
		const char *said = json_string_value(json_object_get(line, "why"));

		if (item)
			take(user, item);
		else
			e = !line ? ERR_AGAIN : error ? kind_of(error) : OK;
		if (error)
			buf_printf(why, "%s", said ? said : "");
		json_decref(line);
	}
	return e;
}

static void keep(void *user, const json_t *item)
{
	json_array_append(user, (json_t *)item);
}

enum err client_ask(struct client *c, json_t *request, json_t **items, struct buf *why)
{
	*items = json_array();
	return client_ask_each(c, request, keep, *items, why);
}

int client_each(const char *conf_path, json_t *request, client_take *take, void *user)
{
	struct conf *conf = client_conf(conf_path);
	struct client *c = NULL;
	struct buf why = { 0 };
	enum err e;
	int status = EXIT_FAILED;

	if (!conf) {
		json_decref(request);
		return EXIT_FAILED;
	}
	if ((e = client_open(&c, conf, &why))) {
		client_complain(
			e == ERR_ABSENT ? "no server runs here (" STR_FMT "); `postern run` starts one" : STR_FMT,
			STR_ARG(buf_str(&why)));
		status = e == ERR_ABSENT ? EXIT_NO_SERVER : EXIT_FAILED;
		json_decref(request);
	} else if ((e = client_ask_each(c, request, take, user, &why))) {
		if (!buf_len(&why))
			buf_printf(&why, "%s", err_text(e));
		client_complain(STR_FMT, STR_ARG(str_trim(buf_str(&why))));
	} else {
		status = EXIT_FINE;
	}
	client_free(c);
	conf_unref(conf);
	buf_free(&why);
	return status;
}

int client_once(const char *conf_path, json_t *request, json_t **items)
{
	int status;

	*items = json_array();
	status = client_each(conf_path, request, keep, *items);
	if (status) {
		json_decref(*items);
		*items = NULL;
	}
	return status;
}
