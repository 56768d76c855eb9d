/* sasl_scram_message.h - the syntax of SCRAM's messages (RFC 5802, 7): bytes in, spans out, no I/O. */
#ifndef PROTOCOLS_SASL_SCRAM_MESSAGE_H
#define PROTOCOLS_SASL_SCRAM_MESSAGE_H

#include "core/buf.h"

struct scram_first { /* client-first-message; spans lie in its bytes */
	char flag;   /* 'n': the client cannot bind to the channel; 'y': it could, and thinks that we cannot; 'p' */
	struct str binding;         /* 'p': the name of what it binds to */
	struct str header;          /* gs2-header, as it came */
	struct str bare;            /* all that follows it */
	struct str authorize, name; /* saslname, to be undone by scram_name; authorize "" without */
	struct str nonce;
};

struct scram_final {               /* client-final-message */
	struct str binding, proof; /* in base64 */
	struct str nonce;
	struct str without_proof;
};

/* False: it is none, or demands an extension (m=), of which there are none. Those that it merely offers are passed over. */
bool scram_first_parse(struct str message, struct scram_first *f);
bool scram_final_parse(struct str message, struct scram_final *f);

/* Adds what a saslname means: "=2C" is a comma and "=3D" an equals sign. False: another "=" is in it. */
bool scram_name(struct str name, struct buf *out);

#endif
