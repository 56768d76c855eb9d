/* Any bytes as the notes of answers that two workers left, one the reader's own: whatever they hold, what is said of a
 * recipient is an answer of bounded length. Input: a byte, whose bits say that the head is right (1), the checksums (2),
 * that it is the reader's own file (4); then notes, each with its length in two bytes. */
#include "storage/queue/answers.h"
#include "core/counter.h"
#include "core/crc32c.h"
#include "core/house.h"
#include "core/mem.h"
#include "core/pack.h"
#include "storage/queue/fate_form.h"
#include "t/fuzz/folder.h"
#include <assert.h>
#include <string.h>
#include <sys/stat.h>

#define HEAD      4096
#define SLOT      2048
#define NOTES_MAX 16
#define ITEMS     4

static const struct settings *const no_settings[] = { NULL };
static const struct call_type *const no_calls[] = { NULL };
const struct house house = { .settings = no_settings, .calls = no_calls };

static const char *const files[] = { "queue/0/answers", "queue/1/answers" };

static void begin(void)
{
	if (folder)
		return;
	folder_begin();
	if (mkdirat(folder, "queue", 0700) || mkdirat(folder, "queue/0", 0700) || mkdirat(folder, "queue/1", 0700))
		abort();
	for (unsigned i = 0; i < 2; i++) /* so that both are there, with heads */
		answers_free(answers_open(folder, i));
}

static void file_fill(const char *path, bool head, const char notes[NOTES_MAX][SLOT])
{
	static char first[32];
	int fd = openat(folder, path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		abort();
	if (!*first && pread(fd, first, sizeof(first), 0) != sizeof(first))
		abort();
	if (pwrite(fd, head ? first : notes[0], sizeof(first), 0) != sizeof(first) ||
		pwrite(fd, notes, NOTES_MAX * SLOT, HEAD) != NOTES_MAX * SLOT)
		abort();
	close(fd);
}

/* Takes the notes out of the input. */
static void notes_take(struct unpack *u, bool right, char notes[NOTES_MAX][SLOT])
{
	memset(notes, 0, NOTES_MAX * SLOT);
	for (unsigned i = 0; i < NOTES_MAX && u->left.len >= 2; i++) {
		size_t len = unpack_u8(u), bytes;
		struct str note;

		len = len << 8 | unpack_u8(u);
		note = str_cut(u->left, 0, len < SLOT ? len : SLOT);
		note.len = note.len < u->left.len ? note.len : u->left.len;
		memcpy(notes[i], note.p, note.len);
		u->left = str_cut(u->left, note.len, u->left.len);
		bytes = (unsigned char)notes[i][4] | (size_t)(unsigned char)notes[i][5] << 8;
		if (right && bytes >= 4 && bytes <= SLOT) {
			uint32_t crc = crc32c(0, (struct str){ notes[i] + 4, bytes - 4 });

			memcpy(notes[i], &crc, sizeof(crc));
		}
	}
}

static void check(struct answers *a, const char *note)
{
	struct queue_message *m = mem_alloc(sizeof(*m) + ITEMS * sizeof(m->items[0]));

	m->count = ITEMS;
	memcpy(&m->id, note + 8, 8);
	memcpy(&m->arrived_s, note + 16, 4);
	memcpy(&m->wire, note + 20, 4);
	for (uint32_t i = 0; i < ITEMS; i++) {
		struct queue_item *item = &m->items[i];
		struct queue_answer got;
		char remote[FATE_REMOTE_MAX];

		item->message = m;
		item->number = i;
		if (!answers_find(a, item))
			continue;
		assert(answers_read(a, item, &got));
		assert(got.status.len <= FATE_STATUS_MAX && got.reply.len <= FATE_REPLY_MAX);
		assert(got.remote.len <= FATE_REMOTE_MAX);
		memcpy(remote, got.remote.p, got.remote.len); /* all of it can be read */
	}
	for (uint32_t i = 0; i < ITEMS; i++)
		answers_release(a, m->items[i].note);
	free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static char notes[NOTES_MAX][SLOT], none[NOTES_MAX][SLOT];
	struct unpack u = unpack_of((struct str){ (const char *)bytes, size });
	unsigned how = size ? unpack_u8(&u) : 0;
	struct answers *a;

	begin();
	notes_take(&u, how & 2, notes);
	file_fill(files[how & 4 ? 0 : 1], how & 1, notes);
	file_fill(files[how & 4 ? 1 : 0], true, none);
	a = answers_open(folder, 0);
	for (unsigned i = 0; i < NOTES_MAX; i++)
		check(a, notes[i]);
	answers_all_found(a);
	answers_free(a);
	return 0;
}
