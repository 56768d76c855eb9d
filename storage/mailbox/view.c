/* view.c - see view.h. The file, in the machine's own byte order:
 *   struct head, HEAD_BYTES | struct entry of each place, `capacity` of them | bits, one for each of them: is it unseen |
 *   has it \Deleted | is it expunged
 * Always: (1) a place is written before `count` covers it, and its uid, place in the mbox and sizes never change then;
 * (2) a changed place's words are written before its number stands in the ring, and that before `changes` counts it;
 * (3) of the two sets of numbers in the head, the owner writes that which `turn` does not name, then lets it name it:
 * a reader who finds `turn` as it was has read a whole set, and an owner who dies while writing leaves one.
 * What is stored is released and what is loaded acquired, word by word: on today's machines these are plain moves. */
#include "storage/mailbox/view.h"
#include "core/crc32c.h"
#include "core/log.h"
#include "core/mem.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC         UINT64_C(0x33776569766e7470) /* "ptnview3" */
#define RING          1024                         /* places noted as changed */
#define HEAD_BYTES    12288
#define PAGE_BYTES    4096
#define CAPACITY_MAX  (1u << 28) /* messages: 16 GiB of file */
#define READ_TRIES    1000       /* of the head: each is in vain only if its owner wrote meanwhile */
#define WRITTEN_SHIFT 16
#define FLAGS_MASK    ((1u << WRITTEN_SHIFT) - 1)
#define WORD_BYTES    104 /* of a keyword, its NUL included */

struct entry {
	uint32_t uid;
	_Atomic uint32_t flags; /* above WRITTEN_SHIFT: those of the prefix */
	_Atomic uint64_t keywords;
	_Atomic uint64_t clock;
	uint64_t offset;
	uint32_t prefix, stored, wire, header;
	int64_t date;
	uint64_t print;
};

struct numbers {
	_Atomic uint32_t count, expunged, unseen, deleted, uidnext;
	_Atomic uint64_t clock, changes, bytes;
};

struct head {
	uint64_t magic;
	uint64_t id;
	uint32_t generation;
	uint32_t uidvalidity;
	uint32_t capacity;
	uint32_t mdir;
	_Atomic uint32_t superseded;
	_Atomic uint32_t keyword_count;
	_Atomic uint32_t turn;
	struct numbers numbers[2];
	uint64_t mbox_end, state_end; /* of the files, where it is sealed */
	uint32_t sealed, crc;         /* of all before the places, as if this were 0, and of the places */
	char words[KEYWORDS_MAX][WORD_BYTES];
	_Atomic uint32_t ring[RING];
};

#define BITS        64                                                         /* of a word */
#define GROUP_BYTES (BITS * sizeof(struct entry) + BITMAPS * sizeof(uint64_t)) /* of the file for so many places */

enum bitmap { UNSEEN, DELETED, EXPUNGED, BITMAPS };

static_assert(sizeof(struct entry) == 64, "an entry is a cache line");
static_assert(sizeof(struct head) <= HEAD_BYTES && HEAD_BYTES % PAGE_BYTES == 0, "the head has room");
static_assert(
	ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2, "words need no lock, which could not be shared");
static_assert(WORD_BYTES > KEYWORD_BYTES_MAX, "a keyword has room for its NUL");

struct view {
	struct head *head;
	struct entry *entries;
	_Atomic uint64_t *bits[BITMAPS];
	uint32_t capacity; /* as it was when mapped: a file damaged later cannot lead us beyond it */
	size_t bytes;      /* mapped */
	bool is_heap;      /* not mapped but allocated: view_of_uids */

	/* The owner's: what is, or will be, written to the head. */
	struct view_head now;
	struct view_head added; /* not yet published: counts alone */
};

#define LOAD(word)         atomic_load_explicit(&(word), memory_order_acquire)
#define STORE(word, value) atomic_store_explicit(&(word), (value), memory_order_release)

static struct view *view_over(void *at, size_t bytes)
{
	struct view *v = mem_new(struct view);

	v->head = at;
	v->entries = (struct entry *)((char *)at + HEAD_BYTES);
	v->capacity = (uint32_t)((bytes - HEAD_BYTES) / GROUP_BYTES * BITS);
	for (size_t i = 0; i < BITMAPS; i++)
		v->bits[i] = (_Atomic uint64_t *)(v->entries + v->capacity) + i * (v->capacity / BITS);
	v->bytes = bytes;
	return v;
}

static struct view *view_new(int fd, size_t bytes, int protection)
{
	void *at = mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);

	return at == MAP_FAILED ? NULL : view_over(at, bytes);
}

void view_unmap(struct view *v)
{
	if (!v)
		return;
	if (v->is_heap)
		free(v->head);
	else
		munmap(v->head, v->bytes);
	free(v);
}

static int create_file(int directory, const char *path)
{
	int fd = openat(directory, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0 || errno != EEXIST)
		return fd;
	if (unlinkat(directory, path, 0))
		return -1;
	return openat(directory, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

enum err view_create(struct view **out, int directory, const char *path, uint64_t id, uint32_t generation,
	uint32_t uidvalidity, uint32_t capacity)
{
	size_t bytes = HEAD_BYTES + ((size_t)capacity + BITS - 1) / BITS * GROUP_BYTES;
	struct view *v = NULL;
	enum err e = OK;
	int fd;

	*out = NULL;
	if (capacity > CAPACITY_MAX)
		return ERR_TOO_BIG;
	bytes = (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
	fd = create_file(directory, path);
	if (fd < 0)
		return err_errno("make view path=%s", path);
	errno = posix_fallocate(fd, 0, (off_t)bytes);
	if (!errno)
		v = view_new(fd, bytes, PROT_READ | PROT_WRITE);
	if (v) {
		v->now = (struct view_head){ .id = id, .generation = generation, .uidvalidity = uidvalidity };
		v->head->id = id;
		v->head->generation = generation;
		v->head->uidvalidity = uidvalidity;
		v->head->capacity = v->capacity;
		v->head->magic = MAGIC;
	} else {
		e = err_errno("allocate view path=%s bytes=%zu", path, bytes);
		unlinkat(directory, path, 0);
	}
	close(fd);
	*out = v;
	return e;
}

/* The set of numbers to be read now. */
static struct numbers *numbers_of(const struct view *v)
{
	return &v->head->numbers[LOAD(v->head->turn) & 1];
}

static uint32_t count_of(const struct view *v)
{
	uint32_t count = LOAD(numbers_of(v)->count);

	return count < v->capacity ? count : v->capacity;
}

/* A file that is whole and says what it must; what it says later is looked at where it is used. */
static bool is_sound(const struct view *v, uint64_t id)
{
	struct head *h = v->head;

	return h->magic == MAGIC && h->id == id && h->capacity == v->capacity &&
	       LOAD(numbers_of(v)->count) <= v->capacity && LOAD(h->keyword_count) <= KEYWORDS_MAX;
}

static enum err map(struct view **out, int directory, const char *path, uint64_t id, bool writes)
{
	struct view *v = NULL;
	struct stat st;
	enum err e = OK;
	int fd = openat(directory, path, (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC);

	*out = NULL;
	if (fd < 0)
		return errno == ENOENT ? ERR_ABSENT : err_errno("open view path=%s", path);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size < HEAD_BYTES || st.st_size % PAGE_BYTES ||
		(uint64_t)st.st_size > HEAD_BYTES + (CAPACITY_MAX / BITS + 2) * GROUP_BYTES)
		e = ERR_NEVER;
	else if (!(v = view_new(fd, (size_t)st.st_size, writes ? PROT_READ | PROT_WRITE : PROT_READ)))
		e = err_errno("map view path=%s", path);
	else if (!is_sound(v, id))
		e = ERR_NEVER;
	close(fd);
	if (e == ERR_NEVER)
		log_error("store", NULL, "view is damaged or another mailbox's path=%s", path);
	if (e)
		view_unmap(v);
	else
		*out = v;
	return e;
}

enum err view_map(struct view **out, int directory, const char *path, uint64_t id)
{
	return map(out, directory, path, id, false);
}

/* Owner ------------------------------------------------------------------------------------------------------- */

/* Counts a message in, or with `sign` -1 out. */
static void tally(struct view_head *h, uint32_t flags, uint32_t wire, int sign)
{
	uint32_t one = (uint32_t)sign;

	if (flags & FLAG_EXPUNGED) {
		h->expunged += one;
		return;
	}
	h->unseen += flags & FLAG_SEEN ? 0 : one;
	h->deleted += flags & FLAG_DELETED ? one : 0;
	h->bytes += (uint64_t)sign * wire;
}

static void write_head(struct view *v)
{
	uint32_t turn = LOAD(v->head->turn) + 1;
	struct numbers *n = &v->head->numbers[turn & 1];

	STORE(n->count, v->now.count);
	STORE(n->expunged, v->now.expunged);
	STORE(n->unseen, v->now.unseen);
	STORE(n->deleted, v->now.deleted);
	STORE(n->uidnext, v->now.uidnext);
	STORE(n->clock, v->now.clock);
	STORE(n->changes, v->now.changes);
	STORE(n->bytes, v->now.bytes);
	STORE(v->head->turn, turn);
}

static void bit_write(struct view *v, enum bitmap map, uint32_t place, bool is_set)
{
	_Atomic uint64_t *word = &v->bits[map][place / BITS];
	uint64_t bit = UINT64_C(1) << place % BITS;

	STORE(*word, is_set ? LOAD(*word) | bit : LOAD(*word) & ~bit);
}

static void bits_write(struct view *v, uint32_t place, uint32_t flags)
{
	bit_write(v, UNSEEN, place, !(flags & (FLAG_SEEN | FLAG_EXPUNGED)));
	bit_write(v, DELETED, place, (flags & (FLAG_DELETED | FLAG_EXPUNGED)) == FLAG_DELETED);
	bit_write(v, EXPUNGED, place, flags & FLAG_EXPUNGED);
}

bool view_full(const struct view *v)
{
	return v->now.count + v->added.count == v->capacity;
}

static uint32_t flags_of(const struct message *m)
{
	return m->flags | m->written << WRITTEN_SHIFT;
}

void view_add(struct view *v, const struct message *m)
{
	uint32_t place = v->now.count + v->added.count;
	struct entry *e = &v->entries[place];

	assert(!view_full(v));
	assert(!place || e[-1].uid < m->uid);
	e->uid = m->uid;
	e->offset = m->offset;
	e->prefix = m->prefix;
	e->stored = m->stored;
	e->wire = m->wire;
	e->header = m->header;
	e->date = m->date;
	e->print = m->print;
	STORE(e->flags, flags_of(m));
	STORE(e->keywords, m->keywords);
	STORE(e->clock, m->clock);
	bits_write(v, place, m->flags);
	v->added.count++;
	tally(&v->added, m->flags, m->wire, 1);
}

void view_publish(struct view *v, uint32_t uidnext, uint64_t clock)
{
	assert(uidnext >= v->now.uidnext && clock >= v->now.clock);
	v->now.count += v->added.count;
	v->now.expunged += v->added.expunged;
	v->now.unseen += v->added.unseen;
	v->now.deleted += v->added.deleted;
	v->now.bytes += v->added.bytes;
	v->now.uidnext = uidnext;
	v->now.clock = clock;
	v->added = (struct view_head){ 0 };
	write_head(v);
}

void view_change(struct view *v, uint32_t place, const struct message *m)
{
	bool published = place < v->now.count;
	struct view_head *h = published ? &v->now : &v->added;
	struct entry *e = &v->entries[place];

	assert(place < v->now.count + v->added.count && e->uid == m->uid);
	tally(h, LOAD(e->flags) & FLAGS_MASK, e->wire, -1);
	tally(h, m->flags, e->wire, 1);
	STORE(e->flags, flags_of(m));
	STORE(e->keywords, m->keywords);
	STORE(e->clock, m->clock);
	bits_write(v, place, m->flags);
	if (!published)
		return;
	STORE(v->head->ring[v->now.changes % RING], place);
	v->now.changes++;
	if (m->clock > v->now.clock)
		v->now.clock = m->clock;
	write_head(v);
}

void view_keywords_set(struct view *v, const struct keywords *k)
{
	uint32_t had = LOAD(v->head->keyword_count);

	assert(had <= k->count && k->count <= KEYWORDS_MAX);
	for (uint32_t i = had; i < k->count; i++)
		memcpy(v->head->words[i], k->word[i], strlen(k->word[i]));
	STORE(v->head->keyword_count, k->count);
}

void view_is_mdir(struct view *v)
{
	assert(!v->now.count);
	v->head->mdir = true;
}

void view_supersede(struct view *v)
{
	STORE(v->head->superseded, 1);
}

uint32_t view_capacity(const struct view *v)
{
	return v->capacity;
}

/* Of all that says something. */
static uint32_t crc_of(const struct view *v)
{
	uint32_t count = v->now.count;
	uint32_t crc = crc32c(0, (struct str){ (const char *)v->head, HEAD_BYTES });

	crc = crc32c(crc, (struct str){ (const char *)v->entries, count * sizeof(struct entry) });
	for (size_t i = 0; i < BITMAPS; i++)
		crc = crc32c(
			crc, (struct str){ (const char *)v->bits[i], (count + BITS - 1) / BITS * sizeof(uint64_t) });
	return crc;
}

void view_seal(struct view *v, uint64_t mbox_end, uint64_t state_end)
{
	assert(!v->added.count && !LOAD(v->head->superseded));
	v->head->mbox_end = mbox_end;
	v->head->state_end = state_end;
	v->head->sealed = 1;
	v->head->crc = 0;
	v->head->crc = crc_of(v);
}

static bool seal_break(struct view *v)
{
	struct head *h = v->head;
	uint32_t crc = h->crc;
	bool sound;

	view_read_head(v, &v->now);
	if (h->sealed != 1 || v->now.superseded)
		return false;
	h->crc = 0;
	sound = crc_of(v) == crc;
	h->sealed = 0;
	return sound;
}

enum err view_unseal(
	struct view **out, int directory, const char *path, uint64_t id, uint64_t *mbox_end, uint64_t *state_end)
{
	struct view *v;
	enum err e = map(&v, directory, path, id, true);

	*out = NULL;
	if (e)
		return e;
	if (!seal_break(v)) {
		view_unmap(v);
		return ERR_NEVER;
	}
	*mbox_end = v->head->mbox_end;
	*state_end = v->head->state_end;
	*out = v;
	return OK;
}

struct view *view_of_uids(uint64_t id, uint32_t uidvalidity, const uint32_t *uids, uint32_t count)
{
	size_t bytes = HEAD_BYTES + ((size_t)count + BITS - 1) / BITS * GROUP_BYTES;
	struct view *v = view_over(mem_alloc(bytes), bytes);

	v->is_heap = true;
	v->head->id = id;
	v->head->generation = UINT32_MAX;
	v->head->uidvalidity = uidvalidity;
	v->head->capacity = v->capacity;
	v->head->magic = MAGIC;
	for (uint32_t i = 0; i < count; i++) {
		struct message m = {
			.uid = uids[i], .offset = MESSAGE_NOWHERE, .prefix = 1, .stored = 1, .wire = 1, .header = 1
		};

		view_add(v, &m);
	}
	view_publish(v, 0, 0);
	return v;
}

/* Reader ------------------------------------------------------------------------------------------------------ */

void view_read_head(const struct view *v, struct view_head *out)
{
	struct head *h = v->head;
	bool whole = false;

	*out = (struct view_head){
		.id = h->id, .generation = h->generation, .uidvalidity = h->uidvalidity, .mdir = h->mdir
	};
	for (unsigned tries = 0; !whole && tries < READ_TRIES; tries++) {
		uint32_t turn = LOAD(h->turn);
		struct numbers *n = &h->numbers[turn & 1];

		out->count = LOAD(n->count);
		out->expunged = LOAD(n->expunged);
		out->unseen = LOAD(n->unseen);
		out->deleted = LOAD(n->deleted);
		out->uidnext = LOAD(n->uidnext);
		out->clock = LOAD(n->clock);
		out->changes = LOAD(n->changes);
		out->bytes = LOAD(n->bytes);
		whole = LOAD(h->turn) == turn;
	}
	if (out->count > v->capacity)
		out->count = v->capacity;
	out->superseded = LOAD(h->superseded);
}

void view_message(const struct view *v, uint32_t place, struct message *m)
{
	struct entry *e = &v->entries[place];
	uint32_t flags = LOAD(e->flags);

	assert(place < v->capacity);
	*m = (struct message){
		.uid = e->uid,
		.clock = LOAD(e->clock),
		.keywords = LOAD(e->keywords),
		.flags = flags & FLAGS_MASK,
		.written = flags >> WRITTEN_SHIFT,
		.offset = e->offset,
		.prefix = e->prefix,
		.stored = e->stored,
		.wire = e->wire,
		.header = e->header,
		.date = e->date,
		.print = e->print,
	};
}

uint32_t view_uid(const struct view *v, uint32_t place)
{
	assert(place < v->capacity);
	return v->entries[place].uid;
}

uint32_t view_place(const struct view *v, uint32_t uid)
{
	uint32_t low = 0, high = count_of(v);

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (v->entries[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static uint32_t bit_next(const struct view *v, enum bitmap map, uint32_t place)
{
	uint32_t count = count_of(v);

	while (place < count) {
		uint64_t word = LOAD(v->bits[map][place / BITS]) >> place % BITS;

		if (word) {
			place += (uint32_t)__builtin_ctzll(word);
			return place < count ? place : count;
		}
		place += BITS - place % BITS;
	}
	return count;
}

uint32_t view_next_unseen(const struct view *v, uint32_t place)
{
	return bit_next(v, UNSEEN, place);
}

uint32_t view_next_deleted(const struct view *v, uint32_t place)
{
	return bit_next(v, DELETED, place);
}

uint32_t view_next_expunged(const struct view *v, uint32_t place)
{
	return bit_next(v, EXPUNGED, place);
}

bool view_find(const struct view *v, uint32_t uid, uint32_t *place)
{
	if (*place >= v->now.count + v->added.count || v->entries[*place].uid != uid)
		*place = view_place(v, uid);
	return *place < v->now.count + v->added.count && v->entries[*place].uid == uid;
}

/* A ring entry is read before it is asked whether that place of the ring may have been written again meanwhile. */
bool view_changes(const struct view *v, uint64_t seen, uint32_t *places, size_t max, size_t *count, uint64_t *now)
{
	uint64_t changes = LOAD(numbers_of(v)->changes);
	uint32_t end = count_of(v);
	size_t got = 0;

	*count = 0;
	*now = changes;
	if (seen > changes || changes - seen > max || changes - seen >= RING)
		return false;
	for (uint64_t i = seen; i < changes; i++) {
		uint32_t place = LOAD(v->head->ring[i % RING]);

		if (place >= end)
			return false;
		places[got++] = place;
	}
	if (LOAD(numbers_of(v)->changes) - seen >= RING)
		return false;
	*count = got;
	return true;
}

const char *view_keyword(const struct view *v, unsigned bit)
{
	if (bit >= view_keyword_count(v) || !memchr(v->head->words[bit], '\0', WORD_BYTES))
		return NULL;
	return v->head->words[bit];
}

unsigned view_keyword_count(const struct view *v)
{
	uint32_t count = LOAD(v->head->keyword_count);

	return count < KEYWORDS_MAX ? count : KEYWORDS_MAX;
}
