/* next_hop.h - where mail for an address goes next, by the configuration alone.
 * An address here is final: aliases and groups are resolved before (route.h). Routes are looked through in the order of
 * the configuration, the first that fits the recipient (and the sender, if the route names senders) says how; without one
 * it goes to the hosts that the DNS names for its domain. Asked at each try, so a changed configuration moves what waits.
 * Mail to accounts here has no next hop: it is known to be local since route.h said so. */
#ifndef STORAGE_NEXT_HOP_H
#define STORAGE_NEXT_HOP_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/settings.h"

enum hop_way {
	HOP_SMTP,
	HOP_LMTP,
	HOP_PIPE,   /* a program of the configuration */
	HOP_REJECT, /* for good: text says why */
};
enum hop_tls {
	HOP_TLS_MAY, /* when offered, whatever the certificate; what fails in TLS is tried once more without */
	HOP_TLS_NEVER,
	HOP_TLS_MUST,   /* whatever the certificate */
	HOP_TLS_VERIFY, /* the certificate must bear the host's name and be certified by tls.ca */
};

struct next_hop {
	enum hop_way way;
	struct str
		host; /* a domain (its MX are asked), or with `direct` a host's name or IP address without brackets */
	bool direct;
	uint16_t port; /* 25, LMTP 24 */
	enum hop_tls tls;
	bool tls_at_once;          /* TLS before the greeting (port 465) */
	struct str user, password; /* for AUTH; "" : none */
	struct str pipe;           /* the name of the `pipe` section, or a program of an alias (alias_program.h) */
	struct str text;           /* HOP_REJECT: "550 5.1.2 ..." */
	struct str rule;           /* the route of the configuration that said so; "" : none */
};

/* Everything in *hop lies in the arena or the configuration. address: local@domain; sender "" for <>. */
void next_hop_find(
	const struct conf *conf, struct arena *a, struct str address, struct str sender, struct next_hop *hop);

/* What mail to the same place shares: "smtp:far.test", "smtp:[mail.isp.test]:587/user;tls=must", "pipe:archive". */
void next_hop_key(const struct next_hop *hop, struct buf *out);

extern const struct settings route_settings; /* route "NAME" { to, recipients, senders, user, password, tls } */
struct str route_pipe(const void *route);    /* of such a section: the `pipe` section that it wants; "" : none */

#endif
