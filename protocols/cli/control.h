/* control.h - the control socket: what the administration commands ask of a running server.
 * It is the UNIX socket run/control below the server's directory, of mode 0600: who can open it is an administrator.
 *   {"do": "who"}                              a request is a JSON object on a line, 64 KiB at most
 *   {"item": {"id": "1-2f", ...}}              its answer is any number of items, a line each,
 *   {"done": true}                             and a line that ends it: it was done,
 *   {"error": "not there", "why": "..."}       or what kind of error it met (err_text) and, if more is known, why
 * Requests of one connection are answered in their order; a request may follow before the last one's answer. */
#ifndef PROTOCOLS_CLI_CONTROL_H
#define PROTOCOLS_CLI_CONTROL_H

#include "core/call.h"
#include "core/service.h"

#define CONTROL_LINE_MAX (64u << 10) /* with its line end */
#define CONTROL_SOCKET   "run/control"

extern const struct service control_service;
extern const struct call_type control_calls[], control_kick_calls[];

#endif
