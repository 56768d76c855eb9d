/* A header of any bytes: its addresses are masqueraded once and for all, and nothing but them is touched. */
#include "storage/route/masquerade.h"
#include "core/house.h"
#include "storage/route/domain.h"
#include <assert.h>

static const struct settings *const tables[] = { &domain_settings, NULL };
const struct house house = { .settings = tables };

static void change(const struct conf *conf, struct str text, struct buf *out)
{
	struct header_walk walk = header_walk(text);
	struct header_field field;

	while (header_next(&walk, &field))
		masquerade_field(conf, &field, out);
	buf_add_str(out, walk.left);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct conf *conf, *none;
	struct str text = { (const char *)data, size };
	struct buf once = { 0 }, twice = { 0 }, same = { 0 }, why = { 0 };

	if (!conf) {
		conf = conf_new(tables);
		none = conf_new(tables);
		conf_add_title(conf, "domain", "example.test", &why);
		conf_set(conf, "domain", "example.test", "masquerade", ".example.test", &why);
		buf_free(&why);
	}
	change(none, text, &same);
	assert(str_eq(buf_str(&same), text));
	change(conf, text, &once);
	assert(buf_len(&once) <= size);
	change(conf, buf_str(&once), &twice);
	assert(str_eq(buf_str(&once), buf_str(&twice)));
	buf_free(&once);
	buf_free(&twice);
	buf_free(&same);
	return 0;
}
