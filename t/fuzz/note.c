/* Any bytes as the note of what an earlier replay was at: of another life it says nothing; an entry at which processes
 * die is not tried for ever, and no other is given up. Input: what the file holds, then, in its last byte, which entry is next. */
#include "storage/journal/note.h"
#include "t/fuzz/folder.h"
#include <assert.h>

#define LIFE UINT64_C(0x7171717171717171) /* the input's "qqqqqqqq" */

static void die(struct note *n)
{
	close(n->fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct str file = { (const char *)bytes, size ? size - 1 : 0 };
	uint64_t sequence = size ? bytes[size - 1] : 0;
	bool ours = file.len >= sizeof(uint64_t) && str_starts(file, STR("qqqqqqqq"));
	struct note n;

	folder_begin();
	folder_put(NOTE_NAME, file);
	note_open(&n, folder, LIFE);
	assert(n.fd >= 0 && !n.current && (ours || (!n.suspect && !n.deaths)));
	for (unsigned deaths = 0; deaths < NOTE_DEATHS; deaths++) {
		note_begin(&n, sequence);
		die(&n);
		note_open(&n, folder, LIFE);
		assert(n.suspect == sequence + 1 && n.deaths >= 1);
	}
	assert(note_kills(&n, sequence) && !note_kills(&n, sequence + 1));
	note_end(&n);
	note_open(&n, folder, LIFE);
	assert(note_kills(&n, sequence)); /* and the next replay knows it still */
	die(&n);
	note_open(&n, folder, LIFE + 1);
	assert(!n.suspect && !note_kills(&n, sequence));
	die(&n);
	return 0;
}
