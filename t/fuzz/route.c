/* Lines of any bytes as patterns and addresses: what stands first is found as by looking at each, names of domains have one
 * form, and what a route is told to go to is one place. */
#include "storage/mail/address.h"
#include "storage/route/idn.h"
#include "storage/route/next_hop.h"
#include "storage/route/pattern.h"
#include "storage/route/rewrite.h"
#include <assert.h>

#define LINES_MAX 40

static void check_idn(struct arena *a, struct str address)
{
	struct str once, twice;

	if (idn_address(a, address, &once))
		return;
	assert(!idn_address(a, once, &twice) && str_eq(once, twice));
}

static void check_patterns(struct arena *a, const struct str *lines, size_t count)
{
	struct pattern p[LINES_MAX];
	struct patterns ps = { 0 };
	size_t made = 0, first = 0;
	struct str star, key;

	for (size_t i = 0; i < count; i++)
		if (!pattern_read(a, lines[i], &p[made])) {
			patterns_add(&ps, a, &p[made], made);
			made++;
		}
	for (size_t i = 0; i < count; i++) {
		if (idn_address(a, lines[i], &key))
			key = STR("");
		for (first = 0; first < made && !pattern_matches(&p[first], key, &star); first++)
			;
		assert(patterns_find(&ps, key, PATTERN_NOWHERE, NULL, NULL) ==
			(first < made ? first : PATTERN_NOWHERE));
		if (first < made)
			assert(star.len <= key.len);
	}
	patterns_free(&ps);
}

static void check_target(struct arena *a, struct str line)
{
	struct address_path path;
	struct str made;

	if (!rewrite_target_good(line))
		return;
	made = rewrite_target(a, line, STR("x"));
	assert(!idn_address(a, made, &made) && !address_mailbox(a, made, ADDRESS_UTF8, &path));
}

static void check_route(struct str line, const struct str *lines, size_t count)
{
	static const struct settings *const tables[] = { &route_settings, NULL };
	struct conf *c = conf_new(tables);
	struct buf why = { 0 }, key = { 0 };
	struct arena a = { 0 };
	struct next_hop hop;

	conf_add_title(c, "route", "x", &why);
	if (conf_set(c, "route", "x", "to", arena_dup(&a, line), &why) && conf_check(c, &why))
		for (size_t i = 0; i < count; i++) {
			buf_clear(&key);
			next_hop_find(c, &a, lines[i], lines[count - 1 - i], &hop);
			next_hop_key(&hop, &key);
			assert(buf_len(&key) && (hop.port || hop.way == HOP_PIPE)); /* a program of an aliases file */
			assert(hop.way == HOP_REJECT || hop.way == HOP_PIPE || !hop.direct || hop.host.p[0] != '[');
		}
	conf_unref(c);
	buf_free(&why);
	buf_free(&key);
	arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str left = { (const char *)data, size }, lines[LINES_MAX];
	struct arena a = { 0 };
	size_t count = 0;

	while (left.len && count < LINES_MAX) {
		ptrdiff_t lf = str_find(left, '\n');

		lines[count] = str_cut(left, 0, lf < 0 ? left.len : (size_t)lf);
		left = str_cut(left, lf < 0 ? left.len : (size_t)lf + 1, left.len);
		check_idn(&a, lines[count]);
		check_target(&a, lines[count]);
		count++;
	}
	if (count) {
		check_patterns(&a, lines, count);
		check_route(lines[0], lines, count);
	}
	arena_free(&a);
	return 0;
}
