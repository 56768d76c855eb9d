/* A line of the log of any bytes, and the sentence that is made of it. */
#include "protocols/cli/trace_log.h"
#include "protocols/cli/trace_words.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct str line = { (const char *)bytes, size }, left, key, value;
	struct buf words = { 0 };
	struct log_line l;

	if (!log_line_read(line, &l))
		return 0;
	assert(l.time.len == 24 && l.id.len && l.event.len + l.fields.len <= size);
	left = l.fields;
	while (log_field_next(&left, &key, &value)) {
		struct buf plain = { 0 };

		assert(key.len && value.p >= line.p && value.p + value.len <= line.p + line.len);
		log_value(value, &plain);
		assert(buf_len(&plain) <= value.len);
		buf_free(&plain);
	}
	trace_words(&l, &words);
	assert(buf_len(&words) <= 20 * size + 200);
	buf_free(&words);
	return 0;
}
