/* index_shard.h - the databases below the index: opened on first use, closed when others are wanted and too many are
 * open or nobody asked them for a while, given up when they fail. For index.c alone.
 * Nothing is ever added to a database that misses something: if a change finds none open, or LevelDB fails, what lies
 * there is given up as a whole, and every mailbox in it is unknown from then on. */
#ifndef STORAGE_INDEX_INDEX_SHARD_H
#define STORAGE_INDEX_INDEX_SHARD_H

#include "core/timers.h"
#include "storage/index/index.h"
#include <leveldb/c.h>

struct shard {
	leveldb_t *db;    /* NULL: not open */
	uint64_t used;    /* when it was last, by index.uses */
	bool lost;        /* a change found no database: what may lie there misses it */
	int64_t retry_us; /* by monotonic_us */
};

struct index {
	int directory;
	unsigned shards;
	struct shard *shard;
	unsigned open, open_max; /* databases */
	uint64_t uses;
	leveldb_cache_t *cache; /* of all; a database opened again finds nothing of its own there */
	size_t cache_bytes;
	leveldb_filterpolicy_t *filter;
	leveldb_options_t *options;
	leveldb_readoptions_t *read, *scan; /* one look-up; many in a row, which are not to fill the cache */
	leveldb_writeoptions_t *write;
};

/* The shard's database is open now; OK or ERR_AGAIN. */
enum err shard_open(struct index *x, unsigned shard);
/* The same for one who is going to change something. */
enum err shard_open_to_change(struct index *x, unsigned shard);
/* LevelDB failed in the middle of work, or gave what is damaged: logs, and makes the database anew. No iterator of it
 * may be left. ERR_ABSENT, or ERR_AGAIN if there is none now. */
enum err shard_failed(struct index *x, unsigned shard, const char *text);

#endif
