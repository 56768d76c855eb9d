/* conn.h - one connection, buffered, with or without TLS, accepted or of our own making.
 * The reader takes what it can use of `in` and leaves the rest; it sees that again with the next input. What is
 * written leaves once per turn of the loop, so ten replies cost one system call. While more than CONN_OUT_MAX waits to
 * leave, the reader is not called until half of that is gone: a slow client slows only itself. A reader that writes
 * much for little input asks conn_has_room before each piece and returns; it is called again. When nothing waits the
 * buffers hold no memory. A peer that has sent its all (half-closed or gone) is told of by on_end when the reader has
 * seen all input, does not rest, and all output is sent: whoever still works on an answer rests meanwhile.
 * Life: conn_new or conn_connect, any number of on_input, on_room and on_idle, at most one on_end, conn_free. The on_ functions run
 * from the loop alone, never inside a function below, and each of them may conn_free. */
#ifndef CORE_CONN_H
#define CORE_CONN_H

#include "core/buf.h"
#include "core/err.h"
#include <sys/socket.h>

struct conn;
struct conns;
struct ip;
struct tls;
struct worker;

#define CONN_IN_MAX  (64u << 10)  /* unread input that is held; a reader that takes none of so much gets no more */
#define CONN_OUT_MAX (256u << 10) /* unsent output above which the reader rests; conn_write still takes more */

enum conn_end {
	CONN_CLOSED, /* the other side ended it, or conn_close is through */
	CONN_BROKEN, /* reset, or a failing system call */
	CONN_TLS,    /* the handshake or the record layer failed */
	CONN_ABSENT, /* conn_connect found nobody there */
};

struct conn_events {
	void (*on_input)(void *user, struct buf *in); /* takes bytes by buf_take; `in` is gone after conn_free */
	void (*on_room)(void *user);                  /* less than half of CONN_OUT_MAX waits again; may be NULL */
	void (*on_idle)(void *user);                  /* conn_idle's time passed without input; may be NULL */
	void (*on_quiet)(void *user);                 /* conn_quiet's time passed; may be NULL */
	void (*on_secure)(void *user);                /* the TLS handshake is through; may be NULL */
	void (*on_end)(
		void *user, enum conn_end why); /* there will be no other event; conn_free is still to be called */
	void (*on_open)(void *user);            /* what conn_connect began is through; may be NULL */
	void (*on_left)(struct worker *w, struct str peer); /* one that was left (conn_leave) is gone; may be NULL */
};

/* fd: a connected, non-blocking socket, conn's from now on. */
struct conn *conn_new(struct worker *w, int fd, const struct conn_events *ev, void *user);
/* A connection of our own: to that address and port, from `from` (NULL: as the system likes). Then on_open comes, or
 * within limit_ms on_end(CONN_ABSENT), never from in here. What is written before leaves as soon as it is open. */
struct conn *conn_connect(struct worker *w, const struct ip *to, uint16_t port, const struct ip *from, int64_t limit_ms,
	const struct conn_events *ev, void *user);
void conn_free(struct conn *c);  /* at once, unsent output is lost; NULL is fine */
void conn_close(struct conn *c); /* sends what waits (10 s at most), then on_end(CONN_CLOSED) alone */
/* It is nobody's any more: sends what waits, as conn_close does, waits for the other side to end it, which it does after
 * SMTP's QUIT, and frees itself. No event comes but on_left, after which it is no connection any more. */
void conn_leave(struct conn *c);

void conn_write(struct conn *c, const void *bytes, size_t len);
void conn_write_str(struct conn *c, struct str s);
void conn_printf(struct conn *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct buf *conn_out(struct conn *c); /* to write straight into; then say conn_wrote */
void conn_wrote(struct conn *c);
size_t conn_waiting(const struct conn *c); /* bytes written and not yet sent */
bool conn_has_room(const struct conn *c);  /* conn_waiting is below CONN_OUT_MAX */

/* No on_input until conn_resume. The idle time does not run meanwhile, unless there is no room: then it is the peer who
 * is slow. */
void conn_rest(struct conn *c);
void conn_resume(struct conn *c);         /* on_input runs again, in a later turn, if input is there */
size_t conn_unread(const struct conn *c); /* bytes in the input buffer */

/* From now on input is taken off the socket when on_input has returned, not before: if the process is killed meanwhile the
 * system resets the connection, and the other side knows that it was not read to its end. Costs one more system call for
 * each input; under TLS it says nothing. */
void conn_careful(struct conn *c, bool careful);

/* on_idle after so long, from now on, without input or a move of output that the peer was slow to take; and again
 * after as long once more. While there is no room, it is room that must come in that time: a peer that takes a byte now
 * and then is as good as silent. 0: never. */
void conn_idle(struct conn *c, int64_t idle_ms);

/* on_quiet so long after the last input, from now on, once until the next input, or until this is said again: what is
 * held for a client who speaks may be given back. It comes also while the reader rests. 0: never. */
void conn_quiet(struct conn *c, uint32_t quiet_ms);

/* Server side of TLS from the next byte on; what was written before still leaves in clear text, what is written from
 * now on waits for the handshake, which may take 60 s. What is unread in clear text is dropped with the connection by
 * whoever starts TLS (STARTTLS injection): ERR_MISTAKE says that there was such input and TLS did not start. */
enum err conn_start_tls(struct conn *c, struct tls *tls);
/* Client side of TLS, likewise. host: whom we mean, a DNS name or an address; he is told the name (SNI). verify: his
 * certificate must bear it (RFC 6125) and be certified by tls.ca, or on_end(CONN_TLS) comes; else any will do. A
 * session is taken up again where one is known. */
enum err conn_start_tls_client(struct conn *c, struct str host, bool verify);
bool conn_secure(const struct conn *c);
/* "TLSv1.3 TLS_AES_128_GCM_SHA256", or "" in clear text. Valid as long as the connection. */
const char *conn_cipher(const struct conn *c);

/* The channel binding tls-exporter (RFC 9266). False: there is none, as in clear text and in TLS 1.2 without the
 * extended master secret. */
bool conn_tls_exporter(const struct conn *c, uint8_t out[32]);
/* Whom the client's certificate names, if it was verified against tls.client_ca; empty: nobody (tls.h). Valid as long
 * as the connection. */
struct str conn_client_name(const struct conn *c);

/* From on_end on, for logs and reports: why it ended, unless CONN_CLOSED: "Connection refused", "certificate has expired". */
const char *conn_reason(const struct conn *c);

const char *conn_id(
	const struct conn *c); /* "1-19ab3c4d5e6": slot and number, for logs; after a restart none is used again */
/* The peer and this end as text, without port: "192.0.2.1", "2001:db8::1", "local" for a UNIX socket. */
const char *conn_peer(const struct conn *c);
const char *conn_here(const struct conn *c);
bool conn_from_loopback(const struct conn *c);

/* Who is at both ends of the connection that conn_new is given next, if a balancer told (proxy.h) and the kernel does
 * not know. They are the caller's; NULL: the kernel knows. */
struct proxy_header;
void conns_introduce(struct conns *cs, const struct proxy_header *told);

/* What the connections of a worker have in common; worker.c alone calls these. w->loop and w->timers are there
 * before conns_new; every connection is freed before conns_free (NULL is fine). Its part of the loop's turn comes
 * last before the loop sleeps (an ev_prepare of the lowest priority): what others write in theirs still leaves. */
struct conns *conns_new(struct worker *w);
size_t conns_count(const struct conns *cs); /* connections there now */
void conns_free(struct conns *cs);

#endif
