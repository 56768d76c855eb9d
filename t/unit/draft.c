/* Drafts: what is fed in pieces comes out whole, in memory or as a file, or says what is wrong with it. */
#include "storage/spool.h"
#include "t/store.h"
#include <dirent.h>

static enum err feed(struct draft *d, size_t len, const char *line)
{
	struct str l = str_of(line);

	for (size_t at = 0; at < len; at += l.len) {
		draft_feed(d, l);
		while (draft_is_behind(d))
			turn();
	}
	got_begin();
	draft_end(d, on_done, NULL);
	ok(!got.done, "the end is told later");
	return got_end();
}

static unsigned spooled(void)
{
	char path[128];
	unsigned count = 0;
	const struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/queue/spool", scratch_path);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return count;
}

static bool file_is(struct str path, uint64_t bytes)
{
	char *name = str_dup(path);
	struct stat st;
	bool good = !fstatat(store_fd, name, &st, 0) && (uint64_t)st.st_size == bytes;

	free(name);
	return good;
}

static void on_room(void *user)
{
	*(bool *)user = true;
}

static void test_memory(void)
{
	struct draft *d = draft_new(asker, FORM_STRICT, 1000);

	ok(!feed(d, 10, "0123 5678\r\n"), "a short message is taken");
	ok(str_eq(draft_bytes(d), STR("0123 5678\n")) && !draft_file(d).len, "and is in memory, as it will be stored");
	ok(draft_size(d)->stored == 10 && draft_size(d)->wire == 11, "its size is known");
	draft_free(d);
	d = draft_new(asker, FORM_STRICT, 1000);
	ok(feed(d, 10, "bare\n") == ERR_MISTAKE, "a bad line end is the sender's mistake");
	ok(draft_error(d) == ERR_MISTAKE, "which can be asked for");
	draft_free(d);
	d = draft_new(asker, FORM_STRICT, 1000);
	ok(feed(d, 2000, "0123 5678\r\n") == ERR_TOO_BIG && !draft_bytes(d).len,
		"and so is too much, of which nothing is kept");
	draft_free(d);
	draft_free(NULL);
}

static void test_short_file(void)
{
	struct draft *d = draft_new(asker, FORM_STRICT, 1000);

	draft_to_file(d);
	ok(!feed(d, 10, "0123 5678\r\n") && !draft_bytes(d).len && file_is(draft_file(d), 10),
		"a short message is a file where there are too many of them");
	draft_free(d);
	d = draft_new(asker, FORM_STRICT, 1000);
	draft_to_file(d);
	draft_free(d);
	turn();
	ok(!spooled(), "and if nothing comes, there is none");
}

static void test_file(void)
{
	struct draft *d = draft_new(asker, FORM_STRICT, 10 << 20);
	char *big = mem_alloc(2 << 20);
	bool room = false;

	draft_on_room(d, on_room, &room);
	memset(big, 'x', 2 << 20);
	for (size_t i = 0; i + 2 < 2 << 20; i += 80)
		memcpy(big + i, "\r\n", 2);
	memcpy(big, "a: b\r\n\r\n", 8);
	memcpy(big + (2 << 20) - 2, "\r\n", 2);
	draft_feed(d, (struct str){ big, 2 << 20 });
	draft_feed(d, (struct str){ big, 2 << 20 });
	ok(draft_is_behind(d), "a sender who is faster than the disk is told to rest");
	wait_for(&room);
	ok(!draft_is_behind(d), "until there is room");
	draft_feed(d, (struct str){ big, 2 << 20 });
	draft_feed(d, (struct str){ big, 2 << 20 });
	room = false;
	got_begin();
	draft_end(d, on_done, NULL);
	ok(!got_end() && !room, "of which nobody hears who has said all");
	ok(!draft_error(d) && !draft_bytes(d).len && file_is(draft_file(d), draft_size(d)->stored),
		"a long message is a file, whole when its end is told");
	ok(spooled() == 1, "in the spool");
	draft_free(d);
	TURN_UNTIL(!lane_depth(asker->files));
	ok(!spooled(), "where it is no more when the draft is freed");
	d = draft_new(asker, FORM_STRICT, 10 << 20);
	draft_feed(d, (struct str){ big, 2 << 20 });
	draft_free(d);
	TURN_UNTIL(!lane_depth(asker->files));
	ok(!spooled(), "also if that is while it is written");
	d = draft_new(asker, FORM_STRICT, 3 << 20);
	draft_feed(d, (struct str){ big, 2 << 20 });
	turn_for(20);
	draft_feed(d, (struct str){ big, 2 << 20 });
	got_begin();
	draft_end(d, on_done, NULL);
	ok(got_end() == ERR_TOO_BIG, "a file may grow too big, too");
	draft_free(d);
	free(big);
}

/* What a crash left is unlinked by the next life of the worker that made it, and by no other. */
static void test_left_over(void)
{
	char path[160];

	TURN_UNTIL(!lane_depth(asker->files));
	snprintf(path, sizeof(path), "%s/queue/spool/0-abc-1", scratch_path);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	snprintf(path, sizeof(path), "%s/queue/spool/1-abc-1", scratch_path);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	snprintf(path, sizeof(path), "%s/queue/spool/7-abc-1", scratch_path);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	ok(!spool_start(&workers[0], NULL) && spooled() < 3, "what a crash left is unlinked");
	ok(spooled() == 1 && access(path, F_OK), "so are those of workers that are no more");
	spool_start(&workers[1], NULL);
	ok(!spooled(), "others stay until their own worker comes");
}

int main(void)
{
	log_set_levels("error");
	test_begin(2);
	test_memory();
	test_short_file();
	test_file();
	test_left_over();
	test_end();
	return done();
}
