/* smtp_client.h - SMTP and LMTP as a client (RFC 5321, RFC 2033): how mail leaves for other hosts. What the house lists stands
 * here, and nothing else; `smtp_transport` is sending's (sending/transport.h).
 * A session finds the hosts of its next hop and connects to the first that answers (hosts.c), says hello, makes the
 * connection secure and logs in (hello.c, auth.c), and then takes one transaction after the other: the envelope
 * (transaction.c) and the content (body.c); elsewhere.c asks the next host for who is put off. smtp_client.c is the engine that gives each reply to whoever waits for it;
 * session.h is what these share. The rest works on bytes alone: reply.c reads replies, extensions.c what EHLO is
 * answered, command.c writes MAIL and RCPT, wire.c writes content with CRLF and dots; scram_client.c is a client's arithmetic.
 * ask.h has sessions that only ask whether somebody is known.
 * A destination is a stranger: whatever it says is bounded in length and time, ends nothing but the session, and is kept
 * free of control characters. */
#ifndef PROTOCOLS_SMTP_CLIENT_H
#define PROTOCOLS_SMTP_CLIENT_H

#include "core/settings.h"

struct smtp_client_conf {
	int64_t port; /* of hosts found by the DNS and of address literals */
	int64_t hosts_per_try;
	int64_t families;           /* enum dns_families less one: IPv4, IPv6, both */
	struct setting_list source; /* our addresses, at most one of each family */
	int64_t connect_ms, greeting_ms, command_ms, data_ms, block_ms, dot_ms;
	int64_t idle_ms; /* a session that waits for more ends after it */
};
extern const struct settings smtp_client_settings;

#endif
