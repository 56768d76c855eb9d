/* A file of labels, of any bytes: what is understood of it is printed, and that is understood the same. */
#include "storage/account/labels.h"
#include <assert.h>
#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct labels read = { 0 }, again = { 0 };
	struct buf text = { 0 }, same = { 0 };
	uint32_t highest = 0, highest_again = 0;

	labels_read(&read, (struct str){ (const char *)data, size }, &highest);
	labels_print(&read, highest, &text);
	labels_read(&again, buf_str(&text), &highest_again);
	labels_print(&again, highest_again, &same);
	assert(highest == highest_again && read.count == again.count && str_eq(buf_str(&text), buf_str(&same)));
	for (size_t i = 0; i < read.count; i++) {
		struct str name = str_of(read.list[i].name);

		assert(labels_find(&read, name) == &read.list[i]);
		assert(read.list[i].subscribed || read.list[i].uses);
		labels_subscribe(&again, name, false);
		labels_use(&again, name, 0);
	}
	assert(!again.count);
	labels_free(&read);
	labels_free(&again);
	buf_free(&text);
	buf_free(&same);
	return 0;
}
