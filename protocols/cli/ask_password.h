/* ask_password.h - a password from the terminal, without echo, or from standard input. */
#ifndef PROTOCOLS_CLI_ASK_PASSWORD_H
#define PROTOCOLS_CLI_ASK_PASSWORD_H

#include "core/buf.h"

/* Asks twice on the terminal. False: there is none, or the two differ; it was told. */
bool ask_password(const char *account, struct buf *password);
/* A line of standard input, without its end; false at the end of input. No longer than 1,024 bytes are kept. */
bool read_line(struct buf *line);

#endif
