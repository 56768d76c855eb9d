/* tally.h - counts per address or account that all workers share: how many are open, how many came in the last minute.
 * Each worker has a table of its own in shared memory; it alone writes there, whoever asks adds up all tables. So there
 * is nothing to lock: a worker killed at any instruction leaves whole words behind, and what it held is given back by
 * its death itself, for a count of what is open bears the generation of the life that wrote it (shm.h) and another
 * life's is not added. What came in a period stays: a crash makes nobody's past better.
 *   table of a worker:  keys, 8 to a set, one cache line | for each a tally, one cache line
 * A key is a keyed hash of what is counted, so nobody outside can choose two that meet. A tally that holds nothing open
 * and was used longest ago makes room for a new key in its set; if all eight hold something there is no tally, and
 * what would be counted in it is not. Sums are exact while one worker counts; those who count at the very same moment
 * may each miss the other's last one. A tally is one cache line, so keys of different kinds count different things in
 * the same places. */
#ifndef CORE_TALLY_H
#define CORE_TALLY_H

#include "core/shm.h"
#include "core/str.h"

#define TALLY_MAX 1000000 /* a worker counts no further than a little above this in a period */

struct tally;
struct tally_table;

enum tally_open { /* what is open now */
	TALLY_SESSIONS,
	TALLY_STRANGERS, /* those of them that have not logged in */
	TALLY_OPENS,
	TALLY_SENDINGS = TALLY_SESSIONS, /* of a destination or a host that mail goes to: sessions of ours */
};

enum tally_rate {       /* what came in a period */
	TALLY_CONNECTS, /* of an account: logins */
	TALLY_ERRORS,
	TALLY_COMMANDS,
	TALLY_FAILURES, /* to log in */
	TALLY_RATES,
	TALLY_SENT = TALLY_COMMANDS, /* of a destination, or of an account or domain of senders: messages that left */
};

size_t tally_table_bytes(void); /* of zeroed memory that is an empty table */

/* kind keeps an address and an account of the same bytes apart. Never 0. */
uint64_t tally_key(struct shm *shm, char kind, struct str what);

/* The tally of this key in this worker's own table, found or made; NULL: no room. Valid while it holds something open,
 * or until the next tally_of. */
struct tally *tally_of(struct shm *shm, unsigned worker, uint64_t key, int64_t now_ms);

/* Own tallies. by: 1 or -1, which gives back what was counted. */
void tally_hold(struct shm *shm, unsigned worker, struct tally *t, enum tally_open what, int by);
uint32_t tally_add(struct tally *t, enum tally_rate what, int64_t now_ms, int64_t period_ms); /* how many it has now */

/* All workers' together. A rate is of the last period_ms: of the period before, the part that they still reach. */
uint64_t tally_open(struct shm *shm, uint64_t key, enum tally_open what);
uint64_t tally_rate(struct shm *shm, uint64_t key, enum tally_rate what, int64_t now_ms, int64_t period_ms);

/* True for one asker in every_ms, of all workers: a log line, or a login. t: the asker's own tally of this key. */
bool tally_once(struct shm *shm, uint64_t key, struct tally *t, int64_t now_ms, int64_t every_ms);

#endif
