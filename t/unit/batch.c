/* The journal's bytes: CRC, operations, batches; and the marks that replay keeps. */
#include "storage/journal/batch.h"
#include "core/crc32c.h"
#include "core/mem.h"
#include "storage/journal/marks.h"
#include "storage/journal/moved.h"
#include "storage/journal/names.h"
#include "storage/journal/operation.h"
#include "storage/path.h"
#include "t/tap.h"
#include <stdlib.h>

static void test_crc(void)
{
	char bytes[300];
	bool same = true;

	ok(crc32c(0, STR("123456789")) == 0xe3069283, "the CRC of 123456789 is the known one");
	memset(bytes, 0, 32);
	ok(crc32c(0, (struct str){ bytes, 32 }) == 0x8a9136aa, "32 zeros (RFC 3720, B.4)");
	memset(bytes, 0xff, 32);
	ok(crc32c(0, (struct str){ bytes, 32 }) == 0x62a8ab43, "32 ones");
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 37);
	for (size_t len = 0; len < sizeof(bytes); len++) {
		struct str s = { bytes, len };

		same &= crc32c(0, s) == crc32c_by_table(0, s);
		same &= crc32c(crc32c(0, str_cut(s, 0, len / 3)), str_cut(s, len / 3, len)) == crc32c(0, s);
	}
	ok(same, "instruction and table agree at every length, whole or in pieces");
}

static void test_paths(void)
{
	static const struct {
		const char *path;
		bool good;
	} rows[] = {
		{ "domains/example.test/alice/INBOX.mbox", true },
		{ "a", true },
		{ "a/..b/.c", true },
		{ "", false },
		{ "/etc/passwd", false },
		{ "a//b", false },
		{ "a/", false },
		{ ".", false },
		{ "..", false },
		{ "a/../../b", false },
		{ "a/.", false },
	};
	char *longest = mem_alloc(PATH_BYTES_MAX + 1);

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		ok(operation_path_ok(str_of(rows[i].path)) == rows[i].good, "'%s' %s leave the store", rows[i].path,
			rows[i].good ? "cannot" : "could");
	ok(!operation_path_ok(STR("a\0b")), "a NUL is no part of a path");
	memset(longest, 'x', PATH_BYTES_MAX + 1);
	ok(operation_path_ok((struct str){ longest, PATH_BYTES_MAX }) &&
			!operation_path_ok((struct str){ longest, PATH_BYTES_MAX + 1 }),
		"a path has %d bytes at most", PATH_BYTES_MAX);
	free(longest);
}

static bool same_operation(const struct operation *a, const struct operation *b)
{
	return a->kind == b->kind && str_eq(a->path, b->path) && str_eq(a->other, b->other) &&
	       str_eq(a->bytes, b->bytes) && a->id == b->id && a->generation == b->generation &&
	       a->offset == b->offset && a->len == b->len && a->name.life == b->name.life &&
	       a->name.number == b->name.number;
}

static void test_operations(void)
{
	static const struct operation row[] = {
		{ .kind = OP_WRITE,
			.path = { "m", 1 },
			.bytes = { "bytes", 5 },
			.id = 1,
			.generation = 2,
			.offset = 1ull << 40 },
		{ .kind = OP_SPOOL,
			.path = { "m", 1 },
			.other = { "s/1", 3 },
			.id = 1,
			.generation = 2,
			.offset = 3,
			.len = 4 },
		{ .kind = OP_PUT, .path = { "p", 1 }, .bytes = { "", 0 } },
		{ .kind = OP_DIRECTORY, .path = { "d", 1 } },
		{ .kind = OP_RENAME, .path = { "a", 1 }, .other = { "b", 1 } },
		{ .kind = OP_REMOVE, .path = { "r", 1 } },
		{ .kind = OP_SETTLED, .id = UINT64_MAX },
		{ .kind = OP_NAME, .name = { 1, 2 }, .bytes = { "ok", 2 } },
		{ .kind = OP_NAMES_ALL },
	};
	size_t count = sizeof(row) / sizeof(*row), read = 0, whole = 0;
	struct operation op;
	struct buf b = { 0 };
	struct unpack u;
	bool same = true;

	for (size_t i = 0; i < count; i++)
		operation_pack(&b, &row[i]);
	for (u = unpack_of(buf_str(&b)); operation_next(&u, &op); read++)
		same &= same_operation(&op, &row[read]);
	ok(same && read == count && unpack_end(&u), "operations of each kind are packed and unpacked");
	for (size_t cut = 0; cut < buf_len(&b); cut++) {
		u = unpack_of(str_cut(buf_str(&b), 0, cut));
		while (operation_next(&u, &op))
			;
		whole += !u.bad;
	}
	ok(whole == count, "a row cut anywhere but between two of them is bad");
	buf_clear(&b);
	pack_u8(&b, OP_REMOVE);
	pack_str(&b, STR("../etc"));
	u = unpack_of(buf_str(&b));
	ok(!operation_next(&u, &op) && u.bad, "a path that leaves the store is bad");
	buf_clear(&b);
	pack_u8(&b, OP_KIND_END);
	u = unpack_of(buf_str(&b));
	ok(!operation_next(&u, &op) && u.bad, "a kind that we do not know is bad");
	buf_free(&b);
}

static void test_batch(void)
{
	struct batch_head h = { .life = 77, .sequence = 12, .synced = 10, .checkpoint = 9 }, r;
	struct buf b = { 0 };
	struct unpack entries;

	batch_begin(&b);
	batch_add(&b, STR("first"));
	batch_add(&b, STR(""));
	batch_seal(&b, &h, 2);
	ok(buf_len(&b) == BATCH_ALIGN && buf_len(&b) == batch_size(h.length), "a batch fills whole blocks");
	ok(batch_read_head(buf_str(&b), 77, &r) && r.sequence == 12 && r.synced == 10 && r.checkpoint == 9 &&
			r.count == 2 && batch_end(&r) == 14,
		"its head is read again");
	ok(batch_read(buf_str(&b), &r, &entries) && str_eq(unpack_str(&entries), STR("first")) &&
			unpack_str(&entries).len == 0 && unpack_end(&entries),
		"its entries too");
	ok(!batch_read_head(buf_str(&b), 78, &r), "in another life of the journal it is none");
	ok(!batch_read_head(str_cut(buf_str(&b), 0, BATCH_HEAD - 5), 77, &r), "nor is half a head");
	batch_read_head(buf_str(&b), 77, &r);
	ok(!batch_read(str_cut(buf_str(&b), 0, BATCH_HEAD + h.length - 1), &r, &entries), "nor one that is cut");
	ok(batch_size(0) == BATCH_ALIGN && batch_size(BATCH_ALIGN - BATCH_HEAD) == BATCH_ALIGN &&
			batch_size(BATCH_ALIGN - BATCH_HEAD + 1) == 2 * BATCH_ALIGN,
		"one byte too many takes another block");
	buf_free(&b);
}

static void test_marks(void)
{
	struct marks *m = marks_new();
	char key[20];
	bool all = true;

	for (uint64_t i = 1; i <= 1000; i++)
		marks_raise(m,
			(struct str){ key, (size_t)snprintf(key, sizeof(key), "dir/%llu", (unsigned long long)i) }, i);
	for (uint64_t i = 1; i <= 1000; i++)
		all &= marks_get(m, (struct str){ key, (size_t)snprintf(key, sizeof(key), "dir/%llu",
							       (unsigned long long)i) }) == i;
	ok(all && marks_count(m) == 1000, "a thousand keys have each its mark");
	marks_raise(m, STR("dir/7"), 3);
	ok(marks_get(m, STR("dir/7")) == 7, "a mark is never lowered");
	marks_raise(m, STR("dir"), 500);
	ok(marks_of_path(m, STR("dir/7")) == 500 && marks_of_path(m, STR("dir/700")) == 700,
		"a directory's holds for what is in it");
	ok(marks_of_path(m, STR("dir/7/deep")) == 500 && marks_of_path(m, STR("directory")) == 0,
		"at any depth, and for nothing else");
	marks_drop_below(m, 900);
	ok(marks_count(m) == 101 && !marks_get(m, STR("dir/899")) && marks_get(m, STR("dir/900")),
		"lower ones are dropped");
	marks_drop(m, STR("dir/900"));
	ok(!marks_get(m, STR("dir/900")), "or a single one");
	marks_free(m);
}

static struct str packed(struct buf *b, enum operation_kind kind, const char *path, const char *other)
{
	buf_clear(b);
	operation_pack(b, &(struct operation){ .kind = kind, .path = str_of(path), .other = str_of(other) });
	return buf_str(b);
}

static void test_moved(void)
{
	static const struct {
		const char *what;
		enum operation_kind kind;
		const char *path, *other;
		bool waits;
	} rows[] = {
		{ "writing where a directory was", OP_WRITE, "a/old", NULL, true },
		{ "making what was in it", OP_PUT, "a/old/x", NULL, true },
		{ "putting something beside it", OP_PUT, "a/older", NULL, false },
		{ "the directory above it", OP_DIRECTORY, "a", NULL, false },
		{ "something named as it", OP_RENAME, "b", "a/old", true },
		{ "something else in place of what it was in", OP_RENAME, "b", "a", true },
		{ "removing it", OP_REMOVE, "a/old", NULL, false },
	};
	struct moved *m = moved_new();
	struct buf b = { 0 };
	char path[20];

	moved_add(m, packed(&b, OP_RENAME, "a/old", "a/new"), 5);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		ok(moved_blocks(m, packed(&b, rows[i].kind, rows[i].path, rows[i].other)) == rows[i].waits, "%s %s",
			rows[i].what, rows[i].waits ? "waits" : "need not wait");
	moved_checkpoint(m, 5);
	ok(moved_blocks(m, packed(&b, OP_PUT, "a/old", NULL)), "a checkpoint before the move does not help");
	moved_checkpoint(m, 6);
	ok(!moved_blocks(m, packed(&b, OP_PUT, "a/old", NULL)), "one behind it does");
	for (unsigned i = 0; i < MOVED_MAX; i++) {
		snprintf(path, sizeof(path), "gone%u", i);
		moved_add(m, packed(&b, OP_RENAME, path, "to"), 7);
	}
	ok(moved_blocks(m, packed(&b, OP_RENAME, "more", "to")) &&
			!moved_blocks(m, packed(&b, OP_REMOVE, "more", NULL)),
		"after %d renames one more waits for a checkpoint", MOVED_MAX);
	moved_free(m);
	packed(&b, OP_RENAME, "a", "c");
	operation_pack(&b, &(struct operation){ .kind = OP_PUT, .path = STR("a/b") });
	ok(moved_contradicts(buf_str(&b)), "an entry cannot rename a path and make it again");
	packed(&b, OP_REMOVE, "a", NULL);
	operation_pack(&b, &(struct operation){ .kind = OP_PUT, .path = STR("a") });
	ok(!moved_contradicts(buf_str(&b)), "what it removed it may make again");
	buf_free(&b);
}

int main(void)
{
	test_crc();
	test_paths();
	test_operations();
	test_batch();
	test_marks();
	test_moved();
	return done();
}
