/* Operations on files: each done twice is the same as done once, and none leaves the store. */
#include "storage/journal/apply.h"
#include "storage/journal/operation.h"
#include "t/journal.h"
#include <errno.h>

#define MANY 300 /* more than are kept open */

static struct files *files;

static enum err apply(const struct operation *op)
{
	struct buf b = { 0 };
	enum err e;

	operation_pack(&b, op);
	e = apply_operations(files, buf_str(&b));
	buf_free(&b);
	return e;
}

static enum err apply_write(const char *path, uint64_t offset, const char *text)
{
	return apply(
		&(struct operation){ .kind = OP_WRITE, .path = str_of(path), .offset = offset, .bytes = str_of(text) });
}

static enum err apply_move(const char *from, const char *to)
{
	return apply(&(struct operation){ .kind = OP_RENAME, .path = str_of(from), .other = str_of(to) });
}

static enum err apply_remove(const char *path)
{
	return apply(&(struct operation){ .kind = OP_REMOVE, .path = str_of(path) });
}

static void test_twice(void)
{
	for (int time = 1; time <= 2; time++) {
		ok(!apply_write("a/b/mbox", 0, "one") && !apply_write("a/b/mbox", 3, "two") &&
				file_is("a/b/mbox", "onetwo"),
			"writes, time %d", time);
		ok(!apply(&(struct operation){ .kind = OP_PUT, .path = STR("a/put"), .bytes = STR("text") }) &&
				file_is("a/put", "text") && !file_exists("a/put.new"),
			"put, time %d", time);
		ok(!apply(&(struct operation){ .kind = OP_DIRECTORY, .path = STR("a/c/d") }) && file_exists("a/c/d"),
			"make directory, time %d", time);
	}
	for (int time = 1; time <= 2; time++)
		ok(!apply_move("a/b", "e/f") && file_is("e/f/mbox", "onetwo") && !file_exists("a/b"), "rename, time %d",
			time);
	for (int time = 1; time <= 2; time++)
		ok(!apply_remove("e") && !file_exists("e"), "remove, time %d", time);
	ok(!apply_remove("nowhere/at/all") && !apply_move("nowhere", "somewhere"),
		"what is not there was moved before");
}

/* Without a journal of its own a file system may have written the new name and not the end of the old one. */
static void test_two_names(void)
{
	apply_write("two/old", 0, "text");
	linkat(worker.directory, "two/old", worker.directory, "two/new", 0);
	ok(!apply_move("two/old", "two/new") && file_is("two/new", "text") && !file_exists("two/old"),
		"a rename to another name of the same file ends the old one");
	file_make("two/put.new", "text");
	linkat(worker.directory, "two/put.new", worker.directory, "two/put", 0);
	ok(!apply(&(struct operation){ .kind = OP_PUT, .path = STR("two/put"), .bytes = STR("text") }) &&
			file_is("two/put", "text") && !file_exists("two/put.new"),
		"and so does a put");
	linkat(worker.directory, "two/new", worker.directory, "two/other", 0);
	ok(!apply_move("two/new", "two/new") && file_is("two/new", "text") && file_is("two/other", "text"),
		"a rename to itself and names elsewhere leave a file alone");
}

static void test_open_files(void)
{
	char path[20];
	bool right = true;

	for (int round = 0; round < 2; round++)
		for (int i = 0; i < MANY; i++) {
			snprintf(path, sizeof(path), "many/%d", i);
			right &= !apply_write(path, (uint64_t)round, round ? "y" : "x");
		}
	for (int i = 0; i < MANY; i++) {
		snprintf(path, sizeof(path), "many/%d", i);
		right &= file_is(path, "xy");
	}
	ok(right, "%d files are written to in turn", MANY);
	apply_write("box", 0, "old");
	unlinkat(worker.directory, "box", 0);
	ok(!apply_write("box", 0, "new") && file_is("box", "new"), "a file that somebody unlinked is made anew");
	file_make("next", "next generation");
	ok(!apply_move("next", "box") && !apply_write("box", 15, "!") && file_is("box", "next generation!"),
		"after a rename over it the new file is written to");
	apply_remove("box");
	ok(!apply_write("box", 0, "again") && file_is("box", "again"), "after a remove a new one");
}

static void test_spool(void)
{
	struct operation op = { .kind = OP_SPOOL, .path = STR("spooled"), .other = STR("spool"), .offset = 2 };
	size_t len = 700001;
	char *bytes = mem_alloc(len + 1), *copy;
	struct buf b = { 0 };
	ssize_t copied;

	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)('a' + i % 23);
	file_make("spool", bytes);
	op.len = len;
	apply_write("spooled", 0, "<<");
	ok(!apply(&op), "a long spool is copied");
	copy = file_bytes("spooled", &copied);
	ok((size_t)copied == len + 2 && !memcmp(copy + 2, bytes, len), "every byte of it");
	op.len++;
	ok(apply(&op) == ERR_NEVER, "one that is too short can never be");
	op.other = STR("no-spool");
	operation_pack(&b, &op);
	operation_pack(&b, &(struct operation){ .kind = OP_PUT, .path = STR("after"), .bytes = STR("x") });
	ok(apply_operations(files, buf_str(&b)) == ERR_NEVER && file_exists("after"),
		"nor one that is not there, but the rest of the entry is done");
	buf_free(&b);
	free(copy);
	free(bytes);
}

static void test_errors(void)
{
	apply_write("full/x", 0, "x");
	apply_write("dir/y", 0, "y");
	ok(apply_move("dir", "full") == ERR_NEVER && file_exists("full/x") && file_exists("dir/y"),
		"a full directory is not replaced by another");
	apply_write("file", 0, "x");
	ok(apply_write("file/below", 0, "x") != OK, "nothing can be written below a file");
	ok(apply_operations(files, STR("\x01garbage")) == ERR_NEVER, "what cannot be understood can never be done");
}

static void test_cut(void)
{
	apply_write("cut", 0, "0123456789");
	ok(!files_cut(files, STR("cut"), 4) && file_is("cut", "0123"), "a file is cut");
	ok(!files_cut(files, STR("cut"), 6) && file_is("cut", "0123"), "and never made longer");
	ok(!files_cut(files, STR("not there"), 0) && !file_exists("not there"), "nor made at all");
}

static void test_filesystems(void)
{
	char elsewhere[] = "/tmp/postern-elsewhere.XXXXXX";
	struct stat here, there;
	struct sync_list l;

	if (!mkdtemp(elsewhere) || stat(elsewhere, &there) || fstat(worker.directory, &here) ||
		symlinkat(elsewhere, worker.directory, "elsewhere"))
		abort();
	apply_write("elsewhere/box", 0, "x");
	ok(!files_sync_list(files, &l) && l.count == (here.st_dev == there.st_dev ? 1 : 2),
		"each file system that was written to is synced");
	ok(!sync_list_run(&l) && !l.count, "and the list is gone then");
	ok(!apply_remove("elsewhere/box") && !file_exists("elsewhere/box"),
		"what lies on another file system is removed too");
	tree_remove(elsewhere);
}

int main(void)
{
	log_quietly();
	store_begin();
	files = files_new(worker.directory);
	test_twice();
	test_two_names();
	test_open_files();
	test_spool();
	test_errors();
	test_cut();
	test_filesystems();
	files_free(files);
	store_end();
	return done();
}
