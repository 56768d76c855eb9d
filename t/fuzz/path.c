/* Any bytes as a name: what becomes a path stays below its account and is read again, and nothing else is. */
#include "storage/path.h"
#include "storage/mail/utf8.h"
#include <assert.h>

static void check_path(struct str path, struct str stem)
{
	assert(str_starts(path, stem) && path.p[stem.len] == '/' && path.len <= PATH_BYTES_MAX);
	for (size_t i = 0; i < path.len; i++) {
		unsigned char c = (unsigned char)path.p[i];

		assert(c >= ' ' && c != 0x7f && c != '\\' && (i < stem.len || c != '.'));
		assert(c != '/' || (i + 1 < path.len && path.p[i + 1] != '/' && path.p[i + 1] != ' '));
	}
	assert(path.p[path.len - 1] != ' ');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct str name = { (const char *)bytes, size };
	struct str stem = STR("domains/example.test/alice");
	struct buf out = { 0 }, back = { 0 };

	if (!path_mailbox(&out, STR("alice@example.test"), name)) {
		assert(!mailbox_name_check(name) && utf8_valid(name));
		check_path(buf_str(&out), stem);
	}
	assert(!buf_len(&back));
	buf_clear(&out);
	if (!path_name_to_file(&out, name)) {
		assert(!path_file_to_name(&back, buf_str(&out)) && str_eq(buf_str(&back), name));
		assert(str_find(buf_str(&out), '.') < 0 && str_find(buf_str(&out), '/') < 0);
	}
	buf_clear(&out);
	buf_clear(&back);
	if (!path_file_to_name(&out, name))
		assert(!path_name_to_file(&back, buf_str(&out)) && str_eq(buf_str(&back), name));
	buf_clear(&out);
	buf_clear(&back);
	if (!path_file_to_domain(&out, name)) {
		assert(!path_domain(&back, buf_str(&out)));
		assert(str_starts(buf_str(&back), STR("domains/")) &&
			str_eq(str_cut(buf_str(&back), 8, buf_len(&back)), name));
	}
	buf_clear(&out);
	if (!path_account(&out, name))
		assert(str_starts(buf_str(&out), STR("domains/")) && !memmem(buf_data(&out), buf_len(&out), "/.", 2));
	else
		assert(!buf_len(&out));
	buf_free(&out);
	buf_free(&back);
	return 0;
}
