/* An aliases(5) file of any bytes: what is understood of it can be written again, and is understood the same. */
#include "storage/route/alias_line.h"
#include <assert.h>
#include <stddef.h>

static void same_again(struct arena *a, const struct alias_target *t)
{
	struct buf text = { 0 };
	struct alias_target again;
	struct str left;

	if (t->kind == ALIAS_ADDRESS) {
		buf_printf(&text, "%s<" STR_FMT ">", t->plain ? "\\" : "",
			STR_ARG(t->text)); /* "|x" might be an address */
		left = buf_str(&text);
		assert(!alias_target(a, &left, &again) && again.kind == ALIAS_ADDRESS && again.plain == t->plain);
		assert(str_eq(again.text, t->text) && alias_target(a, &left, &again) == ERR_ABSENT);
	}
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct alias_reader r = { .left = { (const char *)data, size }, .plain = size && data[0] == 'i' };
	struct arena a = { 0 };
	struct str line, name, targets;
	unsigned last = 0;

	while (alias_read(&r, &line)) {
		struct alias_target t;
		enum err e;

		assert(r.begin > last && r.number >= r.begin && str_find(line, '\n') < 0);
		last = r.number;
		targets = line;
		if (!r.plain && alias_name(&a, line, &name, &targets))
			continue;
		while ((e = alias_target(&a, &targets, &t)) != ERR_ABSENT)
			if (!e)
				same_again(&a, &t);
	}
	alias_reader_free(&r);
	arena_free(&a);
	return 0;
}
