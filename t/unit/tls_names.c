/* Which certificate a client is shown: by the name he asks for, and by what he can verify. */
#include "core/tls_inside.h"
#include "t/certificate.h"
#include "t/tap.h"
#include "t/tls_client.h"
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS 50 /* more than any handshake takes */

static const uint8_t ticket_key[TLS_TICKET_KEY_BYTES] = "shared by all workers";

static const char *name_of(uint16_t version)
{
	return version == TLS1_3_VERSION ? "TLS 1.3" : "TLS 1.2";
}

static void test_hello_name(void)
{
	static const struct {
		const char *what, *body;
		size_t len;
		const char *name;
	} rows[] = {
		{ "a name",
			"\0\x09\0\0\x06"
			"a.test",
			11, "a.test" },
		{ "of several kinds the host_name",
			"\0\x0f\x07\0\x03xyz\0\0\x06"
			"a.test",
			17, "a.test" },
		{ "no name of that kind",
			"\0\x09\x01\0\x06"
			"a.test",
			11, "" },
		{ "nothing", "", 0, "" },
		{ "an empty list", "\0\0", 2, "" },
		{ "an empty name", "\0\x03\0\0\0", 5, "" },
		{ "a list longer than it is",
			"\0\x0a\0\0\x06"
			"a.test",
			11, "" },
		{ "a list shorter than it is",
			"\0\x08\0\0\x06"
			"a.test",
			11, "" },
		{ "a name longer than the list",
			"\0\x09\0\0\x07"
			"a.test",
			11, "" },
		{ "a head that breaks off", "\0\x02\0\0", 4, "" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *exact = malloc(rows[i].len + !rows[i].len); /* so that a sanitizer sees a byte too far */

		memcpy(exact, rows[i].body, rows[i].len);
		ok(str_eq(tls_hello_name((struct str){ exact, rows[i].len }), str_of(rows[i].name)), "server_name: %s",
			rows[i].what);
		free(exact);
	}
}

static void test_hello_lists(void)
{
	static const struct {
		const char *what, *body;
		size_t len;
		unsigned len_bytes;
		bool has;
	} rows[] = {
		{ "the first", "\0\x04\x04\x03\x08\x04", 6, 2, true },
		{ "the last", "\0\x04\x08\x04\x04\x03", 6, 2, true },
		{ "between two", "\0\x04\x08\x04\x03\x04", 6, 2, false },
		{ "behind one byte", "\x02\x04\x03", 3, 1, true },
		{ "behind none", "\x04\x03", 2, 0, true },
		{ "a wrong length", "\0\x03\x04\x03", 4, 2, false },
		{ "half a number", "\0\x03\x08\x04\x04", 5, 2, false },
		{ "an empty list", "\0\0", 2, 2, false },
		{ "no length", "\0", 1, 2, false },
		{ "nothing", "", 0, 1, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *exact = malloc(rows[i].len + !rows[i].len);

		memcpy(exact, rows[i].body, rows[i].len);
		ok(tls_hello_lists((struct str){ exact, rows[i].len }, rows[i].len_bytes, 0x0403) == rows[i].has,
			"a list of numbers: %s", rows[i].what);
		free(exact);
	}
}

/* --- sessions ---------------------------------------------------------------------------------------------------- */

static struct tls *serving(const struct wish *wishes, size_t count)
{
	struct buf why = { 0 };
	struct tls *t = NULL;

	for (size_t i = 0; i < count; i++) {
		struct made m = certificate_make(wishes[i], NULL);

		must(!(i ? tls_add(t, str_of(wishes[i].name), buf_str(&m.chain), buf_str(&m.key_text), &why)
			 : tls_new(&t, buf_str(&m.chain), buf_str(&m.key_text), ticket_key, &why)));
		made_free(&m);
	}
	buf_free(&why);
	return t;
}

struct pair {
	int fds[2];
	struct ssl_st *server;
	SSL *client;
	enum tls_step step;
};

static struct pair pair_new(struct tls *t, const char *asks, uint16_t version, SSL_SESSION *resume)
{
	struct pair p = { .step = TLS_WANT_READ };

	must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, p.fds));
	p.server = tls_accept(t, p.fds[0]);
	p.client = client_new(p.fds[1], version, resume);
	if (asks)
		must(SSL_set_tlsext_host_name(p.client, asks));
	return p;
}

static bool shake(struct pair *p)
{
	char line[8];
	size_t len;

	for (int i = 0; i < ROUNDS; i++) {
		int n = SSL_do_handshake(p->client);

		if (p->step != TLS_DONE)
			p->step = tls_handshake(p->server);
		if (n == 1 && p->step == TLS_DONE) /* a line, behind which come the tickets */
			return tls_write(p->server, "hello\r\n", 7, &len) == TLS_DONE &&
			       SSL_read(p->client, line, sizeof(line)) == 7;
		if (p->step > TLS_WANT_WRITE || (n != 1 && !client_waits(p->client, n)))
			return false;
	}
	return false;
}

static void pair_free(struct pair *p)
{
	tls_free(p->server);
	SSL_free(p->client);
	close(p->fds[0]);
	close(p->fds[1]);
}

/* The commonName of the certificate the client was shown. */
static bool is_shown(const struct pair *p, const char *name)
{
	X509 *cert = SSL_get_peer_certificate(p->client);
	char text[256] = "";

	if (cert)
		X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, text, sizeof(text));
	X509_free(cert);
	return !strcmp(text, name);
}

static const struct wish four[] = {
	{ .name = "first", .others = "DNS:mail.example.test" },
	{ .name = "second", .others = "DNS:example.org,DNS:mail.example.org" },
	{ .name = "star", .others = "DNS:*.example.net,DNS:example.net" },
	{ .name = "bare.example.com" },
};

static void test_chosen(void)
{
	static const struct {
		const char *asks, *shown;
	} rows[] = {
		{ NULL, "first" },
		{ "mail.example.test", "first" },
		{ "example.org", "second" },
		{ "mail.example.org", "second" },
		{ "MAIL.Example.ORG", "second" },
		{ "imap.example.org", "first" },
		{ "example.net", "star" },
		{ "imap.example.net", "star" },
		{ "a.b.example.net", "first" },
		{ ".example.net", "first" },
		{ "bare.example.com", "bare.example.com" },
		{ "nobody.test", "first" },
		{ "localhost", "first" },
	};
	struct tls *t = serving(four, 4);

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (uint16_t version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
			struct pair p = pair_new(t, rows[i].asks, version, NULL);

			ok(shake(&p) && is_shown(&p, rows[i].shown), "%s: who asks for %s is shown '%s'",
				name_of(version), rows[i].asks ? rows[i].asks : "nothing", rows[i].shown);
			pair_free(&p);
		}
	tls_unref(t);
}

static void test_algorithms(void)
{
	static const struct wish wishes[] = {
		{ .name = "ecdsa", .others = "DNS:a.test" },
		{ .name = "other", .others = "DNS:b.test" },
		{ .name = "other in rsa", .others = "DNS:b.test", .rsa = true },
		{ .name = "rsa", .others = "DNS:a.test", .rsa = true },
		{ .name = "alone", .others = "DNS:c.test" },
	};
	static const uint16_t rsa_only[] = { SSL_SIGN_RSA_PSS_RSAE_SHA256, SSL_SIGN_RSA_PKCS1_SHA256 };
	static const struct {
		const char *asks, *modern, *old;
	} rows[] = {
		{ NULL, "ecdsa", "rsa" },
		{ "a.test", "ecdsa", "rsa" },
		{ "b.test", "other", "other in rsa" },
		{ "unknown.test", "ecdsa", "rsa" },
	};
	struct tls *t = serving(wishes, 5);
	struct pair p;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (uint16_t version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
			p = pair_new(t, rows[i].asks, version, NULL);
			ok(shake(&p) && is_shown(&p, rows[i].modern), "%s: ECDSA is preferred: '%s'", name_of(version),
				rows[i].modern);
			pair_free(&p);
			p = pair_new(t, rows[i].asks, version, NULL);
			must(SSL_set_verify_algorithm_prefs(p.client, rsa_only, 2));
			ok(shake(&p) && is_shown(&p, rows[i].old), "who knows RSA alone is shown '%s'", rows[i].old);
			pair_free(&p);
		}
	p = pair_new(t, "a.test", TLS1_2_VERSION, NULL);
	must(SSL_set_strict_cipher_list(p.client, "ECDHE-RSA-AES128-GCM-SHA256"));
	ok(shake(&p) && is_shown(&p, "rsa"), "so is who knows of ECDSA, but no suite for it");
	pair_free(&p);
	p = pair_new(t, "c.test", TLS1_3_VERSION, NULL);
	must(SSL_set_verify_algorithm_prefs(p.client, rsa_only, 2));
	ok(!shake(&p), "without one for him there is no session");
	ERR_clear_error();
	pair_free(&p);
	tls_unref(t);
}

static void test_resumption(uint16_t version)
{
	struct tls *t = serving(four, 4), *renewed = serving(four, 4);
	struct pair p;

	client_forget_session();
	p = pair_new(t, "example.org", version, NULL);
	must(shake(&p) && client_session != NULL);
	pair_free(&p);
	p = pair_new(renewed, "Example.org", version, client_session);
	ok(shake(&p) && SSL_session_reused(p.client),
		"%s: a session resumes under its name, also with new certificates", name_of(version));
	pair_free(&p);
	p = pair_new(t, "mail.example.test", version, client_session);
	ok(shake(&p) && !SSL_session_reused(p.client) && is_shown(&p, "first"),
		"under another it does not (RFC 6066, 3)");
	pair_free(&p);
	client_forget_session();
	tls_unref(t);
	tls_unref(renewed);
}

static void test_counted(void)
{
	struct tls *t = serving(four, 4);
	struct pair p = pair_new(t, "mail.example.org", 0, NULL);

	ok(tls_count(t) == 4 && !strcmp(tls_at(t, 0).label, "default") && !strcmp(tls_at(t, 1).label, "second") &&
			!strcmp(tls_at(t, 1).kind, "ECDSA") && tls_at(t, 0).starts < tls_at(t, 0).expires,
		"each has a label, a kind and its time");
	tls_unref(t);
	ok(shake(&p) && is_shown(&p, "second"), "a handshake that has begun goes on with what is gone since");
	pair_free(&p);
}

static void test_refused(void)
{
	struct made m = certificate_make((struct wish){ .name = "one" }, NULL);
	struct made other = certificate_make((struct wish){ .name = "other" }, NULL);
	struct tls *t = serving(four, 4);
	struct buf why = { 0 };

	ok(tls_add(t, STR("x"), buf_str(&m.chain), buf_str(&other.key_text), &why) == ERR_NEVER && buf_len(&why),
		"one more is refused as the first is");
	tls_unref(t);
	buf_free(&why);
	made_free(&m);
	made_free(&other);
}

static void test_names_max(void)
{
	struct wish wish = { .name = "many" };
	struct buf names = { 0 }, why = { 0 };
	struct tls *t = serving(four, 1);
	struct made m;
	enum err e = OK;
	int tries = 0;

	for (int i = 0; i < 4000; i++)
		buf_printf(&names, "%sDNS:host%d.example.test", i ? "," : "", i);
	buf_add_char(&names, '\0');
	wish.others = buf_data(&names);
	m = certificate_make(wish, NULL);
	while (!e && tries++ < 9)
		e = tls_add(t, STR("many"), buf_str(&m.chain), buf_str(&m.key_text), &why);
	ok(e == ERR_NEVER && tries == 3, "names of all certificates together have a limit");
	tls_unref(t);
	made_free(&m);
	buf_free(&names);
	buf_free(&why);
}

int main(void)
{
	test_hello_name();
	test_hello_lists();
	test_chosen();
	test_algorithms();
	test_resumption(TLS1_2_VERSION);
	test_resumption(TLS1_3_VERSION);
	test_counted();
	test_refused();
	test_names_max();
	return done();
}
