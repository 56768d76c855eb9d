/* base.c - see base.h.
 *   magic version life sequence | the names, as a row of operations | crc */
#include "storage/journal/base.h"
#include "core/crc32c.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/journal/operation.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC     0x42505350 /* "PSPB" */
#define VERSION   1
#define BYTES_MAX (2 * NAMES_BYTES_MAX)
#define CRC_BYTES 4
#define BASE      "base"
#define COPY      "base.copy"
#define NEW       "base.new"

static enum err failed(const char *what)
{
	int number = errno;

	log_error("journal", NULL, "cannot %s error=\"%s\"", what, strerror(number));
	return number ? err_of_errno(number) : ERR_AGAIN;
}

static void pack_name(void *user, struct name name, struct str answer)
{
	operation_pack(user, &(struct operation){ .kind = OP_NAME, .name = name, .bytes = answer });
}

void names_pack(const struct names *names, struct buf *out)
{
	names_each(names, pack_name, out);
}

/* ERR_ABSENT: it is damaged. */
static enum err base_parse(struct str bytes, struct base *b, struct names *names)
{
	struct unpack u, row;
	struct operation op;
	struct str inner;
	uint32_t version;

	if (bytes.len < CRC_BYTES)
		return ERR_ABSENT;
	inner = str_cut(bytes, 0, bytes.len - CRC_BYTES);
	u = unpack_of(str_cut(bytes, inner.len, bytes.len));
	if (unpack_u32(&u) != crc32c(0, inner))
		return ERR_ABSENT;
	u = unpack_of(inner);
	if (unpack_u32(&u) != MAGIC || !(version = unpack_u32(&u)))
		return ERR_ABSENT;
	if (version > VERSION) {
		log_error("journal", NULL, "the journal is of version %u, we know %d: a newer program is needed",
			version, VERSION);
		return ERR_NEVER;
	}
	b->life = unpack_u64(&u);
	b->sequence = unpack_u64(&u);
	row = unpack_of(unpack_str(&u));
	while (operation_next(&row, &op))
		if (op.kind == OP_NAME)
			names_add(names, op.name, op.bytes);
	return row.bad || !unpack_end(&u) ? ERR_ABSENT : OK;
}

static enum err read_one(int dir, const char *name, struct base *b, struct names *names, bool *damaged)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	struct buf bytes = { 0 };
	struct stat st;
	enum err e = OK;
	ssize_t n = 1;

	if (fd < 0)
		return errno == ENOENT ? ERR_ABSENT : failed("open the journal's base");
	if (fstat(fd, &st) < 0)
		e = failed("read the journal's base");
	else if (st.st_size > BYTES_MAX)
		st.st_size = 0;
	while (!e && n && buf_len(&bytes) < (size_t)st.st_size)
		if ((n = read(fd, buf_room(&bytes, (size_t)st.st_size), (size_t)st.st_size - buf_len(&bytes))) < 0)
			e = failed("read the journal's base");
		else
			buf_added(&bytes, (size_t)n);
	close(fd);
	if (!e && (e = base_parse(buf_str(&bytes), b, names)) == ERR_ABSENT) {
		log_error("journal", NULL, "a base is damaged file=%s", name);
		names_clear(names);
		*damaged = true;
	}
	buf_free(&bytes);
	return e;
}

enum err base_read(int dir, struct base *b, struct names *names, bool *damaged)
{
	enum err e;

	*damaged = false;
	e = read_one(dir, BASE, b, names, damaged);
	return e == ERR_ABSENT ? read_one(dir, COPY, b, names, damaged) : e;
}

static enum err write_new(int dir, const char *name, struct str bytes)
{
	int fd = openat(dir, NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	enum err e = OK;

	if (fd < 0)
		return failed("make the journal's base");
	while (!e && bytes.len) {
		ssize_t n = write(fd, bytes.p, bytes.len);

		if (n < 0)
			e = failed("write the journal's base");
		else
			bytes = str_cut(bytes, (size_t)n, bytes.len);
	}
	if (!e && fsync(fd) < 0)
		e = failed("sync the journal's base");
	close(fd);
	if (!e && (renameat(dir, NEW, dir, name) < 0 || fsync(dir) < 0))
		e = failed("rename the journal's base");
	return e;
}

enum err base_renew(int dir, struct base *b, const struct names *names)
{
	struct buf out = { 0 }, row = { 0 };
	uint64_t life;
	enum err e;

	if (getrandom(&life, sizeof(life), 0) != (ssize_t)sizeof(life))
		return failed("get random bytes");
	names_pack(names, &row);
	pack_u32(&out, MAGIC);
	pack_u32(&out, VERSION);
	pack_u64(&out, life);
	pack_u64(&out, b->sequence);
	pack_str(&out, buf_str(&row));
	pack_u32(&out, crc32c(0, buf_str(&out)));
	if (!(e = write_new(dir, COPY, buf_str(&out))) && !(e = write_new(dir, BASE, buf_str(&out))))
		b->life = life;
	buf_free(&out);
	buf_free(&row);
	return e;
}
