/* client.h - the asking end of the control socket, and what the commands that use it have in common.
 * A command is a process of its own: it may wait, and it tells what went wrong on standard error. */
#ifndef PROTOCOLS_CLI_CLIENT_H
#define PROTOCOLS_CLI_CLIENT_H

#include "core/buf.h"
#include "core/err.h"
#include "core/settings.h"
#include <jansson.h>

enum exit_status { EXIT_FINE, EXIT_FAILED, EXIT_USAGE, EXIT_NO_SERVER };

struct client;

/* Connects to the server of this configuration's directory. ERR_ABSENT: none runs; else why says what is wrong. */
enum err client_open(struct client **out, const struct conf *conf, struct buf *why);
void client_free(struct client *c); /* NULL is fine */

/* Sends a request (taken) and waits for the end of its answer. *items, the caller's, is an array also on an error.
 * why gets what the server said of an error, which may be nothing. */
enum err client_ask(struct client *c, json_t *request, json_t **items, struct buf *why);

/* The same, but each item is given to `take` when it comes and kept by nobody: for answers without an end. */
typedef void client_take(void *user, const json_t *item);
enum err client_ask_each(struct client *c, json_t *request, client_take *take, void *user, struct buf *why);

/* The configuration in conf_path; NULL: its errors were told. */
struct conf *client_conf(const char *conf_path);
/* Opens conf_path's server and asks one thing. What goes wrong is told, and *items is NULL; the status is the
 * command's. */
int client_once(const char *conf_path, json_t *request, json_t **items);
int client_each(const char *conf_path, json_t *request, client_take *take, void *user);

/* "postern: ..." on standard error. */
void client_complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
