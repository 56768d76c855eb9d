/* Who the client of a connection is: his certificate, if he is asked for one; and what binds him to this very
 * session (RFC 9266). */
#include "core/conn.h"
#include "core/log.h"
#include "t/certificate.h"
#include "t/conn_pair.h"

static const uint8_t ticket_key[TLS_TICKET_KEY_BYTES] = "shared by all workers";
static struct made authority, stranger, ours;
static struct buf nothing;

static struct tls *serving(const struct buf *authorities)
{
	struct buf why = { 0 };
	struct tls *t;

	if (tls_new(&t, buf_str(&ours.chain), buf_str(&ours.key_text), ticket_key, &why) ||
		(buf_len(authorities) && tls_ask_client(t, buf_str(authorities), &why)))
		abort();
	return t;
}

static bool shaken(struct peer *p)
{
	int n = 0;

	while (not_yet(n == 1))
		if ((n = SSL_do_handshake(p->ssl)) != 1 && !client_waits(p->ssl, n))
			return false;
	turns(3);
	return n == 1;
}

/* A connection on which the client shows this certificate, if any, and both have said a line. */
static bool open_as(
	struct end *e, struct peer *p, struct tls *t, uint16_t version, const struct made *as, SSL_SESSION *resume)
{
	pair_open(e, p, LINES);
	must(conn_start_tls(e->c, t) == OK);
	p->ssl = client_new(p->fd, version, resume);
	if (as)
		must(SSL_use_certificate(p->ssl, as->cert) && SSL_use_PrivateKey(p->ssl, as->key));
	conn_write_str(e->c, STR("220 hello\r\n"));
	return shaken(p) && peer_hears(p, "220 hello\r\n") && peer_says(p, "EHLO\r\n");
}

static bool is_named(const struct end *e, const char *name)
{
	return str_eq(conn_client_name(e->c), str_of(name));
}

static void test_exporter(void)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	struct tls *t = serving(&nothing);
	uint8_t here[32], there[32], before[32] = { 0 };
	struct end e;
	struct peer p;

	pair_open(&e, &p, KEEP);
	ok(!conn_tls_exporter(e.c, here), "clear text has no channel binding");
	must(conn_start_tls(e.c, t) == OK);
	ok(!conn_tls_exporter(e.c, here), "nor has a handshake");
	pair_free(&e, &p);
	for (uint16_t version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		bool up = open_as(&e, &p, t, version, NULL, NULL);

		must(SSL_export_keying_material(p.ssl, there, 32, label, sizeof(label) - 1, NULL, 0, 0));
		ok(up && conn_tls_exporter(e.c, here) && !memcmp(here, there, 32), "%s: both ends have the same",
			SSL_get_version(p.ssl));
		ok(memcmp(here, before, 32) != 0, "and no other session has it");
		memcpy(before, here, 32);
		pair_free(&e, &p);
	}
	tls_unref(t);
}

static void test_names(void)
{
	static const struct {
		const char *what;
		struct wish wish;
		const char *name;
	} rows[] = {
		{ "the first address of subjectAltName",
			{ .name = "CN",
				.email = "old@example.test",
				.others = "DNS:a.test,email:a@b.test,email:c@d.test" },
			"a@b.test" },
		{ "without one, the subject's emailAddress",
			{ .name = "CN", .email = "old@example.test", .others = "DNS:a" }, "old@example.test" },
		{ "without that, the commonName", { .name = "J\xc3\xbcrgen Gro\xc3\x9f" },
			"J\xc3\xbcrgen Gro\xc3\x9f" },
		{ "nothing else", { .others = "DNS:a.test" }, "" },
		{ "no control characters", { .name = "a\nb" }, "" },
	};
	struct tls *t = serving(&authority.chain);

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct made as = certificate_make(rows[i].wish, &authority);
		struct end e;
		struct peer p;

		ok(open_as(&e, &p, t, 0, &as, NULL) && is_named(&e, rows[i].name), "a client is named by: %s",
			rows[i].what);
		pair_free(&e, &p);
		made_free(&as);
	}
	tls_unref(t);
}

static int note_asked(SSL *s, void *user)
{
	*(int *)user = (int)sk_X509_NAME_num(SSL_get_client_CA_list(s));
	return 1;
}

/* How many authorities the client is told of when he is asked; -1: he is not asked. */
static int asked(struct tls *t)
{
	int count = -1;
	struct end e;
	struct peer p;

	pair_open(&e, &p, KEEP);
	must(conn_start_tls(e.c, t) == OK);
	p.ssl = client_new(p.fd, 0, NULL);
	SSL_set_cert_cb(p.ssl, note_asked, &count);
	must(shaken(&p));
	pair_free(&e, &p);
	return count;
}

static void test_verification(void)
{
	static const struct {
		const char *what;
		struct wish wish;
		bool by_stranger, named;
	} rows[] = {
		{ "of our authority", { .name = "alice" }, false, true },
		{ "for clients", { .name = "alice", .purpose = "clientAuth" }, false, true },
		{ "for servers alone", { .name = "alice", .purpose = "serverAuth" }, false, false },
		{ "that has expired", { .name = "alice", .days = -1 }, false, false },
		{ "of a stranger", { .name = "alice" }, true, false },
	};
	struct tls *t = serving(&authority.chain), *incurious = serving(&nothing);
	struct end e;
	struct peer p;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct made as = certificate_make(rows[i].wish, rows[i].by_stranger ? &stranger : &authority);

		for (uint16_t version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
			bool up = open_as(&e, &p, t, version, &as, NULL);

			ok(up && got(&e, "EHLO\r\n") && is_named(&e, rows[i].named ? "alice" : ""),
				"%s: with a certificate %s he is %s", SSL_get_version(p.ssl), rows[i].what,
				rows[i].named ? "named" : "served as one without");
			pair_free(&e, &p);
		}
		made_free(&as);
	}
	ok(open_as(&e, &p, t, 0, NULL, NULL) && is_named(&e, ""), "so is one without");
	pair_free(&e, &p);
	pair_open(&e, &p, KEEP);
	ok(is_named(&e, ""), "clear text names nobody");
	pair_free(&e, &p);
	ok(asked(t) == 1, "whom we trust is told when we ask");
	ok(asked(incurious) == -1, "without authorities nobody is asked");
	tls_unref(t);
	tls_unref(incurious);
}

static void test_resumption(uint16_t version)
{
	struct made alice = certificate_make((struct wish){ .name = "alice" }, &authority);
	struct made eve = certificate_make((struct wish){ .name = "eve" }, &stranger);
	struct tls *first = serving(&authority.chain), *second = serving(&authority.chain);
	struct tls *others = serving(&stranger.chain);
	struct end e;
	struct peer p;
	bool up;

	client_forget_session();
	up = open_as(&e, &p, first, version, &alice, NULL) && client_session;
	pair_free(&e, &p);
	up = up && open_as(&e, &p, second, version, NULL, client_session);
	ok(up && SSL_session_reused(p.ssl) && is_named(&e, "alice"), "%s: a session that resumes keeps its name",
		SSL_get_version(p.ssl));
	pair_free(&e, &p);
	up = open_as(&e, &p, others, version, NULL, client_session);
	ok(up && !SSL_session_reused(p.ssl) && is_named(&e, ""), "but not where others are trusted");
	pair_free(&e, &p);
	client_forget_session();
	up = open_as(&e, &p, first, version, &eve, NULL) && client_session;
	pair_free(&e, &p);
	up = up && open_as(&e, &p, second, version, NULL, client_session);
	ok(up && SSL_session_reused(p.ssl) && is_named(&e, ""), "one that had no name gets none by resuming");
	pair_free(&e, &p);
	client_forget_session();
	made_free(&alice);
	made_free(&eve);
	tls_unref(first);
	tls_unref(second);
	tls_unref(others);
}

static void refused(struct str authorities, const char *word, const char *what)
{
	struct tls *t = serving(&nothing);
	struct buf why = { 0 };
	enum err e = tls_ask_client(t, authorities, &why);

	buf_add_char(&why, '\0');
	ok(e == ERR_NEVER && strstr(buf_data(&why), word), "%s are refused: %s", what, buf_data(&why));
	buf_free(&why);
	tls_unref(t);
}

static void test_limits(void)
{
	struct wish large = { .name = "alice" };
	struct made as;
	struct tls *t = serving(&authority.chain);
	char *names = calloc(1, 60000);
	size_t len = 0;
	struct end e;
	struct peer p;

	refused(STR(""), "no certificate", "no authorities");
	refused(STR("-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n"), "certificate",
		"damaged ones");
	while (len < 40000)
		len += (size_t)snprintf(names + len, 100, "%semail:a%zu@example.test", len ? "," : "", len);
	large.others = names;
	as = certificate_make(large, &authority);
	log_set_levels("tls=warn");
	ok(!open_as(&e, &p, t, 0, &as, NULL) && e.ends == 1 && e.why == CONN_TLS,
		"a certificate longer than anybody's ends the handshake");
	log_set_levels("info");
	pair_free(&e, &p);
	made_free(&as);
	free(names);
	tls_unref(t);
}

int main(void)
{
	worker_start();
	ours = certificate_make((struct wish){ .name = "mail.example.test" }, NULL);
	authority = certificate_make((struct wish){ .name = "Authority", .authority = true }, NULL);
	stranger = certificate_make((struct wish){ .name = "Stranger", .authority = true }, NULL);
	test_exporter();
	test_names();
	test_verification();
	test_resumption(TLS1_2_VERSION);
	test_resumption(TLS1_3_VERSION);
	test_limits();
	made_free(&ours);
	made_free(&authority);
	made_free(&stranger);
	worker_end();
	return done();
}
