/* certs.c - see certs.h. */
#include "core/certs.h"
#include "core/core_settings.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PEM_BYTES_MAX (1u << 20)

static enum err fail(struct buf *why, const char *path)
{
	int number = errno;

	buf_printf(why, "tls: %s: %s\n", path, strerror(number));
	return err_of_errno(number);
}

static enum err read_file(const char *path, struct buf *bytes, struct buf *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return fail(why, path);
	do {
		n = read(fd, buf_room(bytes, 16384), 16384);
		if (n > 0)
			buf_added(bytes, (size_t)n);
	} while (n > 0 && buf_len(bytes) <= PEM_BYTES_MAX);
	close(fd);
	if (n < 0)
		return fail(why, path);
	if (n > 0) {
		buf_printf(why, "tls: %s: too long for a certificate or key\n", path);
		return ERR_TOO_BIG;
	}
	return OK;
}

enum err certs_read(struct certs *c, const struct conf *conf, struct buf *why)
{
	const struct tls_conf *paths = conf_section(conf, &tls_settings);
	enum err e;

	if (!paths->certificate[0])
		return OK;
	if ((e = read_file(paths->certificate, &c->chain, why)) || (e = read_file(paths->key, &c->key, why)))
		return e;
	return paths->client_ca[0] ? read_file(paths->client_ca, &c->authorities, why) : OK;
}

void certs_free(struct certs *c)
{
	buf_free(&c->chain);
	buf_free(&c->key);
	buf_free(&c->authorities);
}

enum err certs_tls(const struct certs *c, const struct conf *conf, const uint8_t ticket_key[TLS_TICKET_KEY_BYTES],
	struct tls **out, struct buf *why)
{
	const struct tls_conf *paths = conf_section(conf, &tls_settings);
	size_t before = buf_len(why);
	enum err e;

	*out = NULL;
	if (!buf_len(&c->chain))
		return OK;
	buf_add_str(why, STR("tls: "));
	if ((e = tls_new(out, buf_str(&c->chain), buf_str(&c->key), ticket_key, why))) {
		buf_printf(why, " (%s, %s)\n", paths->certificate, paths->key);
	} else if (buf_len(&c->authorities) && (e = tls_ask_client(*out, buf_str(&c->authorities), why))) {
		buf_printf(why, " (%s)\n", paths->client_ca);
		tls_unref(*out);
		*out = NULL;
	} else {
		buf_cut(why, before);
	}
	return e;
}

void certs_pack(const struct certs *c, struct buf *out)
{
	pack_str(out, buf_str(&c->chain));
	pack_str(out, buf_str(&c->key));
	pack_str(out, buf_str(&c->authorities));
}

void certs_unpack(struct certs *c, struct unpack *u)
{
	buf_add_str(&c->chain, unpack_str(u));
	buf_add_str(&c->key, unpack_str(u));
	buf_add_str(&c->authorities, unpack_str(u));
}
