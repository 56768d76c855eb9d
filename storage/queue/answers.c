/* answers.c - see answers.h.
 * Free slots are a stack: the one freed last is written next, so that few pages are ever touched. A note of many
 * recipients is free when the last of them is released. */
#include "storage/queue/answers.h"
#include "core/counter.h"
#include "core/crc32c.h"
#include "core/listing.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/queue/fate_form.h"
#include "storage/table.h"
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define VERSION    1
#define MAGIC      "postern-answers" /* with its NUL 16 bytes */
#define HEAD_BYTES 4096
#define TEXT_MAX   (FATE_STATUS_MAX + FATE_REPLY_MAX + FATE_REMOTE_MAX)
#define PATH_SIZE  64
#define FILES_MAX  1024 /* of other workers that are looked at */

COUNTER(notes_made, "queue.noted", "answers of other hosts noted");
COUNTER(notes_missed, "queue.unnoted", "answers that could not be noted, for want of room or of a file");
COUNTER(notes_recalled, "queue.recalled", "recipients whose answer was known by its note alone after a start");

struct head {
	char magic[sizeof(MAGIC)];
	uint32_t version, slot_bytes, slots;
};

struct range {
	uint32_t first, last; /* recipients' numbers */
	uint32_t tries;       /* before this one */
};

struct slot {           /* as it stands in the file; in this machine's byte order, for it never leaves it */
	uint32_t crc;   /* over what follows, `bytes` in all */
	uint16_t bytes; /* of the slot that are used; 0: free */
	uint16_t ranges;
	uint64_t id;
	uint32_t arrived_s, wire;
	uint8_t kind, status; /* status, reply, remote: lengths of the texts, which follow the ranges used */
	uint16_t reply, remote;
	uint16_t zero;
	struct range range[ANSWERS_RANGES];
	char texts[TEXT_MAX];
	char rest[2048 - 32 - ANSWERS_RANGES * sizeof(struct range) - TEXT_MAX];
};

_Static_assert(sizeof(struct slot) == 2048, "slots are where the file's head says");
_Static_assert(offsetof(struct slot, range) == 32, "and notes begin alike");
_Static_assert(ANSWERS_SLOTS < UINT16_MAX, "an item's note is the number of its slot, from 1");

struct found {                  /* a note of an earlier life */
	struct table_node node; /* by id */
	uint16_t place;         /* its slot, from 1; 0: it is in another worker's file, or in none */
	struct slot slot;       /* a copy */
};

struct answers {
	struct slot *slots; /* mapped; NULL: there is no file */
	uint16_t free[ANSWERS_SLOTS], free_count;
	uint16_t users[ANSWERS_SLOTS]; /* items whose note it is */
	struct table found;            /* until answers_all_found */
	bool full;                     /* told */
};

/* --- the form of a slot ---------------------------------------------------------------------------------------------- */

static uint32_t crc_of(const struct slot *s)
{
	size_t from = sizeof(s->crc);

	return crc32c(0, (struct str){ (const char *)s + from, s->bytes - from });
}

static char *texts_of(struct slot *s)
{
	return (char *)&s->range[s->ranges];
}

static size_t bytes_of(const struct slot *s)
{
	return offsetof(struct slot, range) + s->ranges * sizeof(struct range) + s->status + s->reply + s->remote;
}

static bool is_note(const struct slot *s)
{
	return s->bytes >= offsetof(struct slot, range) && s->bytes <= sizeof(*s) && s->ranges &&
	       s->ranges <= ANSWERS_RANGES && s->status <= FATE_STATUS_MAX && s->reply <= FATE_REPLY_MAX &&
	       s->remote <= FATE_REMOTE_MAX && bytes_of(s) == s->bytes && crc_of(s) == s->crc;
}

static struct str cut(struct str text, size_t max)
{
	return str_cut(text, 0, text.len < max ? text.len : max);
}

static char *add_text(char *at, struct str text)
{
	if (text.len)
		memcpy(at, text.p, text.len);
	return at + text.len;
}

/* Takes items from the front, as many as fit; answers how many. */
static size_t slot_fill(struct slot *s, struct queue_item *const *items, size_t count, const struct queue_answer *a)
{
	const struct queue_message *m = items[0]->message;
	struct str status = cut(a->status, FATE_STATUS_MAX), reply = cut(a->reply, FATE_REPLY_MAX);
	struct str remote = cut(a->remote, FATE_REMOTE_MAX);
	size_t took = 0;

	memset(s, 0, offsetof(struct slot, range));
	s->id = m->id;
	s->arrived_s = m->arrived_s;
	s->wire = m->wire;
	s->kind = a->kind;
	s->status = (uint8_t)status.len;
	s->reply = (uint16_t)reply.len;
	s->remote = (uint16_t)remote.len;
	for (; took < count; took++) {
		const struct queue_item *item = items[took];
		struct range *last = s->ranges ? &s->range[s->ranges - 1] : NULL;

		if (last && item->number == last->last + 1 && item->tries == last->tries)
			last->last++;
		else if (s->ranges < ANSWERS_RANGES)
			s->range[s->ranges++] = (struct range){ item->number, item->number, item->tries };
		else
			break;
	}
	add_text(add_text(add_text(texts_of(s), status), reply), remote);
	s->bytes = (uint16_t)bytes_of(s);
	s->crc = crc_of(s);
	return took;
}

/* Whether it says something of the item that is not known otherwise; *tries is how often he was tried before. */
static bool is_about(const struct slot *s, const struct queue_item *item, uint32_t *tries)
{
	const struct queue_message *m = item->message;

	if (s->id != m->id || s->arrived_s != m->arrived_s || s->wire != m->wire)
		return false;
	for (unsigned i = 0; i < s->ranges; i++)
		if (item->number >= s->range[i].first && item->number <= s->range[i].last) {
			*tries = s->range[i].tries;
			return s->kind < QUEUE_ANSWER_OPEN || *tries >= item->tries;
		}
	return false;
}

/* --- noting ---------------------------------------------------------------------------------------------------------- */

static void is_full(struct answers *a)
{
	counter_add(&notes_missed, 1);
	if (a->slots && !a->full)
		log_warn("queue", NULL, "answers wait for the journal, no more can be noted slots=%u", ANSWERS_SLOTS);
	a->full = true;
}

static void slot_free(struct answers *a, uint16_t place)
{
	a->slots[place - 1].bytes = 0;
	a->free[a->free_count++] = place;
}

/* What an earlier life noted there is in no slot any more: who is found later has it noted again. */
static void found_release(struct answers *a, uint16_t place)
{
	for (struct table_node *n = table_first(&a->found, a->slots[place - 1].id); n; n = table_next(n)) {
		struct found *f = container_of(n, struct found, node);

		if (f->place == place)
			f->place = 0;
	}
}

void answers_release(struct answers *a, uint16_t note)
{
	if (!note || !a->slots)
		return;
	assert(a->users[note - 1]);
	if (--a->users[note - 1])
		return;
	found_release(a, note);
	slot_free(a, note);
	a->full = false;
}

/* The note is whole before the items' old ones are gone. */
void answers_note(struct answers *a, struct queue_item *const *items, size_t count, const struct queue_answer *answer)
{
	struct slot note;

	while (count) {
		uint16_t place = a->free_count ? a->free[--a->free_count] : 0;
		size_t took = slot_fill(&note, items, count, answer);

		if (place) {
			memcpy(&a->slots[place - 1], &note, note.bytes);
			counter_add(&notes_made, 1);
		} else {
			is_full(a);
		}
		for (size_t i = 0; i < took; i++) {
			uint16_t old = items[i]->note;

			items[i]->note = place;
			if (place)
				a->users[place - 1]++;
			answers_release(a, old);
		}
		items += took;
		count -= took;
	}
}

bool answers_read(const struct answers *a, const struct queue_item *item, struct queue_answer *answer)
{
	struct slot *s;
	const char *at;

	if (!item->note || !a->slots)
		return false;
	s = &a->slots[item->note - 1];
	at = texts_of(s);
	*answer = (struct queue_answer){ .kind = s->kind,
		.status = { at, s->status },
		.reply = { at + s->status, s->reply },
		.remote = { at + s->status + s->reply, s->remote } };
	return true;
}

/* --- after a start --------------------------------------------------------------------------------------------------- */

/* Who has the message has it; else the later try counts, and of two answers to the same the one for good. */
static bool is_better(const struct slot *s, uint32_t tries, const struct slot *than, uint32_t than_tries)
{
	bool has = s->kind < QUEUE_ANSWER_OPEN, other_has = than->kind < QUEUE_ANSWER_OPEN;

	if (has != other_has)
		return has;
	return tries != than_tries ? tries > than_tries : s->kind > than->kind;
}

bool answers_find(struct answers *a, struct queue_item *item)
{
	const struct found *best = NULL;
	uint32_t best_tries = 0, tries;

	if (!a->found.count)
		return false;
	for (struct table_node *n = table_first(&a->found, item->message->id); n; n = table_next(n)) {
		const struct found *f = container_of(n, struct found, node);

		if (is_about(&f->slot, item, &tries) &&
			(!best || is_better(&f->slot, tries, &best->slot, best_tries))) {
			best = f;
			best_tries = tries;
		}
	}
	if (!best)
		return false;
	if (best->place) {
		item->note = best->place;
		a->users[best->place - 1]++;
	} else { /* ours from now on: another worker may use its file again */
		struct slot copy = best->slot;
		const char *at = texts_of(&copy);
		struct queue_answer answer = { copy.kind, { at, copy.status }, { at + copy.status, copy.reply },
			{ at + copy.status + copy.reply, copy.remote } };

		answers_note(a, &item, 1, &answer);
	}
	if (item->note)
		counter_add(&notes_recalled, 1);
	return item->note;
}

static void found_free(struct answers *a)
{
	for (struct table_node *n; (n = table_any(&a->found));) {
		table_remove(&a->found, n);
		free(container_of(n, struct found, node));
	}
	table_free(&a->found);
}

/* Notes of nobody are overwritten last, for they may be of what another worker has to send now, and reads. */
void answers_all_found(struct answers *a)
{
	uint16_t count = 0;

	for (struct table_node *n; (n = table_any(&a->found));) {
		const struct found *f = container_of(n, struct found, node);

		if (f->place && !a->users[f->place - 1]) {
			memmove(&a->free[1], a->free, a->free_count * sizeof(a->free[0]));
			a->free[0] = f->place;
			a->free_count++;
			count++;
		}
		table_remove(&a->found, n);
		free(container_of(n, struct found, node));
	}
	table_free(&a->found);
	if (count)
		log_info("queue", NULL, "notes of answers that are known otherwise notes=%u", count);
}

/* --- files ----------------------------------------------------------------------------------------------------------- */

static void path_of(char path[PATH_SIZE], unsigned number)
{
	snprintf(path, PATH_SIZE, "queue/%u/answers", number);
}

static bool head_is_ours(const struct head *h)
{
	return !memcmp(h->magic, MAGIC, sizeof(MAGIC)) && h->version == VERSION &&
	       h->slot_bytes == sizeof(struct slot) && h->slots == ANSWERS_SLOTS;
}

static void take_notes(struct answers *a, const struct slot *slots, bool own)
{
	for (unsigned i = 0; i < ANSWERS_SLOTS; i++) {
		struct found *f;

		if (!slots[i].bytes)
			continue;
		f = mem_new(struct found);
		f->slot = slots[i]; /* a copy: another worker may be at it */
		f->place = own ? (uint16_t)(i + 1) : 0;
		if (is_note(&f->slot))
			table_add(&a->found, &f->node, f->slot.id);
		else
			free(f);
	}
}

static size_t file_bytes(void)
{
	return HEAD_BYTES + ANSWERS_SLOTS * sizeof(struct slot);
}

/* Another worker's; whatever cannot be read says nothing. */
static void read_others(struct answers *a, int directory, unsigned number)
{
	char path[PATH_SIZE];
	struct stat st;
	const char *bytes;
	int fd;

	path_of(path, number);
	fd = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	bytes = fstat(fd, &st) || (uint64_t)st.st_size < file_bytes()
	                ? MAP_FAILED
	                : mmap(NULL, file_bytes(), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (bytes == MAP_FAILED)
		return;
	if (head_is_ours((const struct head *)bytes))
		take_notes(a, (const struct slot *)(bytes + HEAD_BYTES), false);
	munmap((void *)bytes, file_bytes());
}

static void read_all_others(struct answers *a, int directory, unsigned slot)
{
	DIR *list = listing_open(directory, "queue", 0);
	struct dirent *entry;
	unsigned files = 0;
	uint32_t number;

	if (!list)
		return;
	while ((entry = readdir(list)) && files < FILES_MAX)
		if (str_u32(str_of(entry->d_name), &number) && number <= UINT16_MAX && number != slot) {
			read_others(a, directory, number);
			files++;
		}
	closedir(list);
}

/* Room for all of it, or a store to it might kill us one day. */
static bool make_room(int fd, const char *path)
{
	char zeros[HEAD_BYTES] = { 0 };
	struct stat st;

	if (!fallocate(fd, 0, 0, (off_t)file_bytes()))
		return true;
	if (errno != EOPNOTSUPP) {
		err_errno("make room for %s", path);
		return false;
	}
	if (fstat(fd, &st)) {
		err_errno("look at %s", path);
		return false;
	}
	for (size_t at = (size_t)st.st_size / HEAD_BYTES * HEAD_BYTES; at < file_bytes(); at += sizeof(zeros))
		if (pwrite(fd, zeros, sizeof(zeros), (off_t)at) != (ssize_t)sizeof(zeros)) {
			err_errno("make room for %s", path);
			return false;
		}
	return true;
}

/* False: it is not ours to write to, or not there. */
static bool map_own(struct answers *a, int fd, const char *path)
{
	struct head head = {
		.magic = MAGIC, .version = VERSION, .slot_bytes = sizeof(struct slot), .slots = ANSWERS_SLOTS
	};
	struct head there = { .version = 0 };
	char *bytes;

	if (pread(fd, &there, sizeof(there), 0) == (ssize_t)sizeof(there) &&
		!memcmp(there.magic, MAGIC, sizeof(MAGIC)) && there.version > VERSION) {
		log_error("queue", NULL, "of a later version path=%s", path);
		return false;
	}
	if (!make_room(fd, path))
		return false;
	bytes = mmap(NULL, file_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED) {
		err_errno("map %s", path);
		return false;
	}
	if (!head_is_ours((const struct head *)bytes)) {
		memset(bytes, 0, file_bytes());
		memcpy(bytes, &head, sizeof(head));
	}
	a->slots = (struct slot *)(bytes + HEAD_BYTES);
	return true;
}

static void open_own(struct answers *a, int directory, unsigned slot)
{
	char path[PATH_SIZE];
	int fd;

	path_of(path, slot);
	fd = openat(directory, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		err_errno("open %s", path);
	if (fd < 0 || !map_own(a, fd, path))
		log_warn("queue", NULL, "answers are not noted: what kill -9 leaves unwritten is sent again path=%s",
			path);
	if (fd >= 0)
		close(fd);
}

struct answers *answers_open(int directory, unsigned slot)
{
	struct answers *a = mem_new(struct answers);

	open_own(a, directory, slot);
	if (!a->slots)
		return a;
	read_all_others(a, directory, slot);
	take_notes(a, a->slots, true);
	for (uint16_t place = ANSWERS_SLOTS; place; place--) {
		struct slot *s = &a->slots[place - 1];

		if (s->bytes && is_note(s))
			continue; /* it may be somebody's */
		slot_free(a, place);
	}
	return a;
}

void answers_free(struct answers *a)
{
	if (!a)
		return;
	if (a->slots)
		munmap((char *)a->slots - HEAD_BYTES, file_bytes());
	found_free(a);
	free(a);
}
