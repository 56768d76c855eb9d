/* Header fields, dates, contents and encoded words of any bytes: nothing is lost in walking, nothing grows. */
#include "storage/mail/header.h"
#include "storage/mail/charset.h"
#include "storage/mail/content.h"
#include "storage/mail/date.h"
#include "storage/mail/envelope.h"
#include "storage/mail/utf8.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct str block = { (const char *)bytes, size };
	struct header_walk w = header_walk(block);
	struct header_field field;
	struct envelope envelope;
	struct content content;
	struct arena a = { 0 };
	struct buf text = { 0 };
	size_t walked = 0;
	struct date d;

	while (header_next(&w, &field)) {
		assert(field.whole.p == block.p + walked && field.whole.len > 0);
		assert(field.name.len + field.value.len <= field.whole.len);
		walked += field.whole.len;
		assert(header_unfold(&a, field.value).len <= field.value.len);
		buf_clear(&text);
		charset_words(field.value, &text);
		assert(utf8_valid(buf_str(&text)));
		if (date_message(field.value, &d))
			assert(date_of(date_seconds(&d), d.zone).year >= d.year - 1);
		if (date_imap(field.value, &d)) {
			char again[DATE_TEXT_SIZE];

			date_imap_print(again, date_seconds(&d), d.zone);
			assert(date_imap(str_of(again), &d));
		}
	}
	assert(walked <= header_size(block) && header_size(block) <= walked + 2);
	content_read(&a, block, 100, &content);
	content_param_joined(&a, content.params, "boundary");
	envelope_read(&a, block, 100, &envelope);
	buf_free(&text);
	arena_free(&a);
	return 0;
}
