/* index_shard.c - see index_shard.h. */
#include "storage/index/index_shard.h"
#include "core/listing.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/pack.h"
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define VERSION     3
#define BLOOM_BITS  10         /* per key: 1 % of look-ups of what is not there read in vain */
#define BUFFER_MIN  (64 << 10) /* bytes in memory per database; LevelDB takes no less */
#define BUFFER_MAX  (4 << 20)
#define OPEN_FILES  74 /* per database, LevelDB takes no less; tables are mapped, and keep no descriptor */
#define DESCRIPTORS 4  /* that an open database keeps: its lock, its log, its list of files, what it says */
#define SHARE       8  /* of the descriptors that the process may have, one in so many is for databases */
#define OPEN_LEAST  2
#define RETRY_US    5000000 /* after a database could not be opened */
#define NAME_SIZE   64      /* below index/ */
#define PATH_SIZE   128

/* How many databases may be open at a time. */
static unsigned open_most(unsigned wanted)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == RLIM_INFINITY)
		return wanted;
	if (limit.rlim_cur / SHARE / DESCRIPTORS < wanted)
		wanted = (unsigned)(limit.rlim_cur / SHARE / DESCRIPTORS);
	return wanted > OPEN_LEAST ? wanted : OPEN_LEAST;
}

/* A database has two buffers: one is filled while the other is written. */
static size_t buffer_of(const struct index *x, size_t buffer_bytes)
{
	size_t each = buffer_bytes / 2 / (x->open_max < x->shards ? x->open_max : x->shards);

	return each < BUFFER_MIN ? BUFFER_MIN : each > BUFFER_MAX ? BUFFER_MAX : each;
}

struct index *index_new(int directory, unsigned shards, const struct index_limits *limits)
{
	struct index *x = mem_new(struct index);

	x->directory = directory;
	x->shards = shards;
	x->shard = mem_alloc(shards * sizeof(*x->shard));
	x->open_max = open_most(limits->databases);
	x->cache_bytes = limits->cache_bytes;
	x->cache = leveldb_cache_create_lru(x->cache_bytes);
	x->filter = leveldb_filterpolicy_create_bloom(BLOOM_BITS);
	x->options = leveldb_options_create();
	leveldb_options_set_create_if_missing(x->options, 1);
	leveldb_options_set_paranoid_checks(x->options, 1); /* a hole in its log must not pass for its end */
	leveldb_options_set_filter_policy(x->options, x->filter);
	leveldb_options_set_cache(x->options, x->cache);
	leveldb_options_set_write_buffer_size(x->options, buffer_of(x, limits->buffer_bytes));
	leveldb_options_set_max_open_files(x->options, OPEN_FILES);
	x->read = leveldb_readoptions_create();
	x->scan = leveldb_readoptions_create();
	leveldb_readoptions_set_verify_checksums(x->read, 1);
	leveldb_readoptions_set_verify_checksums(x->scan, 1);
	leveldb_readoptions_set_fill_cache(x->scan, 0);
	x->write = leveldb_writeoptions_create();
	return x;
}

static void close_shard(struct index *x, struct shard *s)
{
	if (!s->db)
		return;
	leveldb_close(s->db);
	s->db = NULL;
	x->open--;
}

/* Room for one more: the database longest unused goes. */
static void make_room(struct index *x)
{
	struct shard *oldest = NULL;

	if (x->open < x->open_max)
		return;
	for (unsigned i = 0; i < x->shards; i++)
		if (x->shard[i].db && (!oldest || x->shard[i].used < oldest->used))
			oldest = &x->shard[i];
	close_shard(x, oldest);
}

/* What the cache holds is of tables that are no longer open. None may be that has it. */
static void cache_renew(struct index *x)
{
	assert(!x->open);
	leveldb_cache_destroy(x->cache);
	x->cache = leveldb_cache_create_lru(x->cache_bytes);
	leveldb_options_set_cache(x->options, x->cache);
}

uint64_t index_uses_work(const struct index *x)
{
	return x->uses;
}

unsigned index_close_work(struct index *x, uint64_t uses, unsigned most)
{
	unsigned closed = 0;

	for (unsigned i = 0; i < x->shards && closed < most; i++) {
		struct shard *s = &x->shard[i];

		if (!s->db || s->used > uses)
			continue;
		close_shard(x, s);
		closed++;
	}
	if (closed && !x->open)
		cache_renew(x);
	return closed;
}

void index_free(struct index *x)
{
	if (!x)
		return;
	for (unsigned i = 0; i < x->shards; i++)
		close_shard(x, &x->shard[i]);
	leveldb_writeoptions_destroy(x->write);
	leveldb_readoptions_destroy(x->scan);
	leveldb_readoptions_destroy(x->read);
	leveldb_options_destroy(x->options);
	leveldb_filterpolicy_destroy(x->filter);
	leveldb_cache_destroy(x->cache);
	free(x->shard);
	free(x);
}

/* LevelDB wants a path: the one of our descriptor, whatever the directory is called by now. */
static void full_path(const struct index *x, char path[PATH_SIZE], const char *name)
{
	snprintf(path, PATH_SIZE, "/proc/self/fd/%d/index/%s", x->directory, name);
}

static void destroy(const struct index *x, const char *name)
{
	char path[PATH_SIZE], *error = NULL;

	full_path(x, path, name);
	leveldb_destroy_db(x->options, path, &error);
	leveldb_free(error);
}

/* Removes what was set aside of this shard before: one is enough to look at. */
static void remove_aside(const struct index *x, unsigned shard)
{
	DIR *d = listing_open(x->directory, "index", 0);
	struct dirent *entry;
	char prefix[32];
	int len = snprintf(prefix, sizeof(prefix), "%u.bad.", shard);

	if (!d)
		return;
	while ((entry = readdir(d)))
		if (!strncmp(entry->d_name, prefix, (size_t)len) && strlen(entry->d_name) < NAME_SIZE)
			destroy(x, entry->d_name);
	closedir(d);
}

/* The shard's database, closed by now, is no longer there; kept under another name if that may be of use. */
static void give_up(struct index *x, unsigned shard, bool keep)
{
	char name[NAME_SIZE], from[PATH_SIZE], to[PATH_SIZE];

	snprintf(name, sizeof(name), "%u/leveldb", shard);
	snprintf(from, sizeof(from), "index/%s", name);
	snprintf(to, sizeof(to), "index/%u.bad.%lld", shard, (long long)time(NULL));
	remove_aside(x, shard);
	if (!keep || renameat(x->directory, from, x->directory, to))
		destroy(x, name);
	log_warn("index", NULL, "index given up, to be made anew shard=%u aside=%s", shard, keep ? to : "-");
}

/* Errors that are not the database's: nothing is wrong with its files. */
static bool is_shortage(const char *text)
{
	static const char *const texts[] = { "No space left", "quota exceeded", "Too many open files",
		"Resource temporarily unavailable", "already held by process", "Cannot allocate" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strstr(text, texts[i]))
			return true;
	return false;
}

/* ERR_NEVER: what lies there is of no use. */
static enum err check_version(struct index *x, leveldb_t *db, char **error)
{
	size_t len;
	char *value = leveldb_get(db, x->read, "v", 1, &len, error);
	leveldb_iterator_t *i;
	struct buf b = { 0 };
	enum err e = OK;

	pack_u32(&b, VERSION);
	if (value) {
		e = str_eq(buf_str(&b), (struct str){ value, len }) ? OK : ERR_NEVER;
	} else if (!*error) {
		i = leveldb_create_iterator(db, x->read);
		leveldb_iter_seek_to_first(i);
		if (leveldb_iter_valid(i))
			e = ERR_NEVER;
		else
			leveldb_put(db, x->write, "v", 1, buf_data(&b), buf_len(&b), error);
		leveldb_iter_destroy(i);
	}
	leveldb_free(value);
	buf_free(&b);
	return e;
}

static enum err try_open(struct index *x, unsigned shard)
{
	char name[NAME_SIZE], path[PATH_SIZE], *error = NULL;
	enum err e = OK;
	leveldb_t *db;

	snprintf(name, sizeof(name), "index/%u", shard);
	if ((mkdirat(x->directory, "index", 0700) && errno != EEXIST) ||
		(mkdirat(x->directory, name, 0700) && errno != EEXIST)) {
		err_errno("make directory path=%s", name);
		return ERR_AGAIN;
	}
	snprintf(name, sizeof(name), "%u/leveldb", shard);
	full_path(x, path, name);
	make_room(x);
	db = leveldb_open(x->options, path, &error);
	if (db)
		e = check_version(x, db, &error);
	if (error) {
		e = is_shortage(error) ? ERR_AGAIN : ERR_NEVER;
		log_error("index", NULL, "open index shard=%u error=\"%s\"", shard, error);
	} else if (e) {
		log_warn("index", NULL, "index is of another version shard=%u", shard);
	}
	leveldb_free(error);
	if (e && db)
		leveldb_close(db);
	if (!e) {
		x->shard[shard].db = db;
		x->open++;
	}
	return e;
}

enum err shard_open(struct index *x, unsigned shard)
{
	struct shard *s = &x->shard[shard];
	enum err e;

	assert(shard < x->shards);
	s->used = ++x->uses;
	if (s->db)
		return OK;
	if (s->retry_us > monotonic_us())
		return ERR_AGAIN;
	if (s->lost)
		give_up(x, shard, false);
	e = try_open(x, shard);
	if (e == ERR_NEVER) {
		give_up(x, shard, true);
		e = try_open(x, shard);
	}
	if (e) {
		s->retry_us = monotonic_us() + RETRY_US;
		return ERR_AGAIN;
	}
	s->lost = false;
	return OK;
}

enum err shard_open_to_change(struct index *x, unsigned shard)
{
	enum err e = shard_open(x, shard);

	if (e)
		x->shard[shard].lost = true;
	return e;
}

enum err shard_failed(struct index *x, unsigned shard, const char *text)
{
	log_error("index", NULL, "index failed shard=%u error=\"%s\"", shard, text);
	close_shard(x, &x->shard[shard]);
	give_up(x, shard, !is_shortage(text));
	return shard_open(x, shard) ? ERR_AGAIN : ERR_ABSENT;
}
