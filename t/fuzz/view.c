/* Any bytes as a view's file: a reader is led nowhere by it. Input: bytes that are put over a good view, a place first. */
#include "storage/mailbox/view.h"
#include "t/fuzz/folder.h"
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define ID         7
#define MESSAGES   20
#define PLACES_MAX 100

static void make(void)
{
	struct keywords k = { 0 };
	struct view *v;

	if (view_create(&v, folder, "view", ID, 1, 5, MESSAGES + 10))
		abort();
	keywords_bit(&k, STR("work"));
	view_keywords_set(v, &k);
	for (uint32_t i = 0; i < MESSAGES; i++)
		view_add(v, &(struct message){ .uid = 2 * i + 1, .offset = 100 * i, .stored = 90, .clock = i });
	view_publish(v, 2 * MESSAGES + 1, MESSAGES);
	view_unmap(v);
}

static void look(const struct view *v)
{
	uint32_t places[PLACES_MAX];
	struct view_head h;
	struct message m;
	uint64_t now;
	size_t count;

	view_read_head(v, &h);
	for (uint32_t i = 0; i < h.count; i++)
		view_message(v, i, &m);
	assert(view_place(v, 0) <= h.count && view_place(v, UINT32_MAX) <= h.count);
	for (uint64_t seen = 0; seen < 3; seen++)
		if (view_changes(v, seen, places, PLACES_MAX, &count, &now))
			for (size_t i = 0; i < count; i++)
				view_message(v, places[i], &m);
	for (unsigned bit = 0; bit <= view_keyword_count(v); bit++) {
		const char *word = view_keyword(v, bit);

		if (word && strlen(word) > 200)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct view *v;
	off_t at;
	int fd;

	if (size < 3)
		return 0;
	folder_begin();
	make();
	at = (bytes[0] | bytes[1] << 8) % 13000;
	fd = openat(folder, "view", O_RDWR | O_CLOEXEC);
	if (fd < 0 || pwrite(fd, bytes + 3, size - 3, at) != (ssize_t)(size - 3))
		abort();
	if (bytes[2] & 1 && ftruncate(fd, at)) /* before anybody has mapped it */
		abort();
	close(fd);
	if (!view_map(&v, folder, "view", ID)) {
		look(v);
		view_unmap(v);
	}
	return 0;
}
