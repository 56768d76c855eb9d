/* certs.c - see certs.h. */
#include "core/certs.h"
#include "core/core_settings.h"
#include "core/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEM_BYTES_MAX (1u << 20)

/* --- what the configuration names -------------------------------------------------------------------------------- */

struct named { /* a certificate in it */
	const char *label, *file, *key;
};

static size_t named_count(const struct conf *conf)
{
	const struct tls_conf *tls = conf_section(conf, &tls_settings);

	return tls->certificate[0] ? 1 + conf_titles(conf, &certificate_settings) : 0;
}

static struct named named_at(const struct conf *conf, size_t place)
{
	const struct tls_conf *tls = conf_section(conf, &tls_settings);
	const struct certificate_conf *more;
	const char *title;

	if (!place)
		return (struct named){ "default", tls->certificate, tls->key };
	more = conf_titled(conf, &certificate_settings, place - 1, &title);
	return (struct named){ title, more->file, more->key };
}

/* How error lines begin, as the section is written. */
static void add_section(struct buf *why, size_t place, const char *label)
{
	if (place)
		buf_printf(why, "certificate \"%s\": ", label);
	else
		buf_add_str(why, STR("tls: "));
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

static enum err read_failed(struct buf *why, const char *path)
{
	int number = errno;

	buf_printf(why, "%s: %s\n", path, strerror(number));
	return err_of_errno(number);
}

enum err certs_read_file(const char *path, struct buf *bytes, struct buf *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return read_failed(why, path);
	do {
		n = read(fd, buf_room(bytes, 16384), 16384);
		if (n > 0)
			buf_added(bytes, (size_t)n);
	} while (n > 0 && buf_len(bytes) <= PEM_BYTES_MAX);
	close(fd);
	if (n < 0)
		return read_failed(why, path);
	if (n > 0) {
		buf_printf(why, "%s: too long for a certificate or key\n", path);
		return ERR_TOO_BIG;
	}
	return OK;
}

static void cert_free(struct cert *c)
{
	free(c->label);
	free(c->files);
	buf_free(&c->chain);
	buf_free(&c->key);
}

static enum err cert_read(struct cert *c, const struct conf *conf, size_t place, struct buf *why)
{
	struct named named = named_at(conf, place);
	size_t before = buf_len(why);
	struct buf files = { 0 };
	enum err e;

	buf_printf(&files, " (%s, %s)", named.file, named.key);
	c->files = str_dup(buf_str(&files));
	buf_free(&files);
	c->label = str_dup(str_of(named.label));
	add_section(why, place, named.label);
	if (!(e = certs_read_file(named.file, &c->chain, why)) && !(e = certs_read_file(named.key, &c->key, why)))
		buf_cut(why, before);
	return e;
}

static enum err authorities_read(struct buf *authorities, const struct conf *conf, struct buf *why)
{
	const struct tls_conf *tls = conf_section(conf, &tls_settings);
	size_t before = buf_len(why);
	enum err e;

	if (!tls->certificate[0] || !tls->client_ca[0])
		return OK;
	buf_add_str(why, STR("tls: "));
	if (!(e = certs_read_file(tls->client_ca, authorities, why)))
		buf_cut(why, before);
	return e;
}

static struct cert *add(struct certs *c)
{
	c->items = mem_resize(c->items, (c->count + 1) * sizeof(*c->items));
	c->items[c->count] = (struct cert){ 0 };
	return &c->items[c->count++];
}

enum err certs_read(struct certs *c, const struct conf *conf, struct buf *why)
{
	const struct tls_conf *tls = conf_section(conf, &tls_settings);
	enum err e = OK;

	if (!tls->certificate[0] && conf_titles(conf, &certificate_settings)) {
		buf_printf(why, "tls: certificate is wanted: those of certificate sections come beside it\n");
		return ERR_MISTAKE;
	}
	for (size_t i = 0; !e && i < named_count(conf); i++)
		e = cert_read(add(c), conf, i, why);
	return e ? e : authorities_read(&c->authorities, conf, why);
}

void certs_free(struct certs *c)
{
	for (size_t i = 0; i < c->count; i++)
		cert_free(&c->items[i]);
	free(c->items);
	buf_free(&c->authorities);
	*c = (struct certs){ 0 };
}

/* --- use --------------------------------------------------------------------------------------------------------- */

enum err certs_tls(
	const struct certs *c, const uint8_t ticket_key[TLS_TICKET_KEY_BYTES], struct tls **out, struct buf *why)
{
	size_t before = buf_len(why);
	struct tls *t = NULL;
	enum err e = OK;

	for (size_t i = 0; !e && i < c->count; i++) {
		const struct cert *cert = &c->items[i];

		buf_cut(why, before);
		add_section(why, i, cert->label);
		e = i ? tls_add(t, str_of(cert->label), buf_str(&cert->chain), buf_str(&cert->key), why)
		      : tls_new(&t, buf_str(&cert->chain), buf_str(&cert->key), ticket_key, why);
		if (e)
			buf_add_str(why, str_of(cert->files));
	}
	if (!e && t && buf_len(&c->authorities)) {
		buf_cut(why, before);
		buf_add_str(why, STR("tls: client_ca: "));
		e = tls_ask_client(t, buf_str(&c->authorities), why);
	}
	if (e) {
		buf_add_char(why, '\n');
		tls_unref(t);
	} else {
		buf_cut(why, before);
	}
	*out = e ? NULL : t;
	return e;
}

/* --- renewal ----------------------------------------------------------------------------------------------------- */

static bool is_same(const struct buf *a, const struct buf *b)
{
	return str_eq(buf_str(a), buf_str(b));
}

/* Whether what was read would serve in the place of what there is: why tells if not. */
static bool is_good(const struct certs *tried, struct buf *why)
{
	static const uint8_t ticket_key[TLS_TICKET_KEY_BYTES];
	struct tls *t;
	enum err e = certs_tls(tried, ticket_key, &t, why);

	tls_unref(t);
	return !e;
}

static bool cert_renew(struct certs *now, size_t place, const struct conf *conf, struct buf *why)
{
	struct cert fresh = { 0 }, old = now->items[place];
	bool new = !cert_read(&fresh, conf, place, why) &&
	           (!is_same(&fresh.chain, &old.chain) || !is_same(&fresh.key, &old.key));

	now->items[place] = fresh;
	new = new &&is_good(now, why);
	now->items[place] = new ? fresh : old;
	cert_free(new ? &old : &fresh);
	return new;
}

static bool authorities_renew(struct certs *now, const struct conf *conf, struct buf *why)
{
	struct buf fresh = { 0 }, old = now->authorities;
	bool new = !authorities_read(&fresh, conf, why) && !is_same(&fresh, &old);

	now->authorities = fresh;
	new = new &&is_good(now, why);
	now->authorities = new ? fresh : old;
	buf_free(new ? &old : &fresh);
	return new;
}

bool certs_renew(struct certs *now, const struct conf *conf, struct buf *why)
{
	bool new = false;

	for (size_t i = 0; i < now->count && i < named_count(conf); i++)
		new |= cert_renew(now, i, conf, why);
	return authorities_renew(now, conf, why) || new;
}

uint64_t certs_stamp_file(uint64_t stamp, const char *path)
{
	struct {
		uint64_t before;
		int64_t device, inode, size, written_s, written_ns, changed_s, changed_ns;
	} seen = { .before = stamp };
	struct stat st;

	if (stat(path, &st) == 0) {
		seen.device = (int64_t)st.st_dev;
		seen.inode = (int64_t)st.st_ino;
		seen.size = st.st_size;
		seen.written_s = st.st_mtim.tv_sec;
		seen.written_ns = st.st_mtim.tv_nsec;
		seen.changed_s = st.st_ctim.tv_sec;
		seen.changed_ns = st.st_ctim.tv_nsec;
	}
	return str_hash((struct str){ (const char *)&seen, sizeof(seen) });
}

uint64_t certs_stamp(const struct conf *conf)
{
	const struct tls_conf *tls = conf_section(conf, &tls_settings);
	uint64_t stamp = 0;

	for (size_t i = 0; i < named_count(conf); i++) {
		struct named named = named_at(conf, i);

		stamp = certs_stamp_file(certs_stamp_file(stamp, named.file), named.key);
	}
	return tls->client_ca[0] ? certs_stamp_file(stamp, tls->client_ca) : stamp;
}

/* --- to the workers ---------------------------------------------------------------------------------------------- */

void certs_pack(const struct certs *c, struct buf *out)
{
	pack_u32(out, (uint32_t)c->count);
	for (size_t i = 0; i < c->count; i++) {
		pack_str(out, str_of(c->items[i].label));
		pack_str(out, buf_str(&c->items[i].chain));
		pack_str(out, buf_str(&c->items[i].key));
	}
	pack_str(out, buf_str(&c->authorities));
}

void certs_unpack(struct certs *c, struct unpack *u)
{
	for (uint32_t left = unpack_u32(u); left && !u->bad; left--) {
		struct cert *cert = add(c);

		cert->label = str_dup(unpack_str(u));
		cert->files = str_dup(STR_NONE);
		buf_add_str(&cert->chain, unpack_str(u));
		buf_add_str(&cert->key, unpack_str(u));
	}
	buf_add_str(&c->authorities, unpack_str(u));
}
