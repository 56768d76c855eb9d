/* What IMAP reads, of any bytes: commands, whole and in pieces; their arguments; FETCH items, SEARCH programs, sets,
 * LIST's options and patterns, and mailbox names, each compared with a simpler way to the same. The first byte is the size of the
 * pieces. */
#include "protocols/imap/imap_fetch.h"
#include "protocols/imap/imap_listing.h"
#include "protocols/imap/imap_parse.h"
#include "protocols/imap/imap_search_key.h"
#include "protocols/imap/imap_utf7.h"
#include "storage/mail/utf8.h"
#include <assert.h>
#include <stdlib.h>

/* To the end of the first command, past announced literals. */
static ptrdiff_t parse(struct imap_parser *p, struct str in, uint64_t *literals)
{
	ptrdiff_t used;

	while (!(used = imap_parse(p, in)) && p->announced)
		*literals = *literals * 31 + p->literal_len * 2 + p->synchronising;
	return used;
}

static void read_commands(struct str in, size_t step)
{
	while (in.len) {
		struct imap_parser whole = { 0 }, cut = { 0 };
		uint64_t literals = 0, cut_literals = 0;
		ptrdiff_t used = parse(&whole, in, &literals), pieced = 0;

		for (size_t len = 0; !pieced && len < in.len;) {
			len = in.len - len < step ? in.len : len + step;
			pieced = parse(&cut, str_cut(in, 0, len), &cut_literals);
		}
		assert(used == pieced && literals == cut_literals);
		if (used <= 0)
			return;
		assert((size_t)used <= in.len && in.p[used - 1] == '\n');
		in = str_cut(in, (size_t)used, in.len);
	}
}

static void read_arguments(struct str in)
{
	struct arena arena = { 0 };
	struct args a = args_of(in, &arena);
	struct flag_words words;

	args_tag(&a);
	while (!a.bad && a.left.len) {
		struct args same = a;

		args_date_time(&same);
		same = a;
		args_pattern(&same);
		args_try(&a, ' ');
		if (args_peek(&a, '('))
			args_flags(&a, &words);
		else
			args_mailbox(&a);
	}
	arena_free(&arena);
}

static void read_items(struct str in)
{
	struct arena arena = { 0 };
	struct args a = { in, &arena, false };
	struct items items;

	if (imap_take_items(&a, &items, true)) {
		assert(items.count && items.count <= ITEMS_MAX);
		for (size_t i = 0; i < items.count; i++)
			assert(items.list[i].depth <= SECTION_DEPTH_MAX && items.list[i].name_count <= NAMES_MAX);
	}
	arena_free(&arena);
}

static uint64_t bits_of(const void *user, struct str word)
{
	(void)user;
	return word.len & 7;
}

static void search(struct str in)
{
	static const struct message m = {
		.uid = 7, .flags = FLAG_SEEN, .keywords = 2, .date = 800000000, .wire = 5000
	};
	struct arena arena = { 0 };
	struct args a = { in, &arena, false };
	struct search_program p;

	if (search_compile(&a, STR("utf-8"), &p)) {
		assert(p.count && p.count <= SEARCH_KEYS_MAX);
		search_bind(&p, 5, 9, bits_of, NULL);
		search_fits(&p, &(struct search_subject){ .seq = 3, .recent = true, .message = &m });
	}
	arena_free(&arena);
}

static void settle(struct str in)
{
	struct arena arena = { 0 };
	struct args a = { in, &arena, false };
	struct set set;

	args_set(&a, &set);
	if (set.count && set.count < 100) {
		struct set settled = { arena_alloc(&arena, set.count * sizeof(*set.ranges)), set.count };

		memcpy(settled.ranges, set.ranges, set.count * sizeof(*set.ranges));
		set_settle(&settled, 20);
		for (uint32_t n = 1; n <= 20; n++) {
			bool held = false;

			for (size_t i = 0; i < set.count; i++) {
				struct uid_range r = set.ranges[i];

				held |= (n >= r.first && n <= r.last) || (n == 20 && r.last == UINT32_MAX);
			}
			assert(held == set_holds(&settled, n));
		}
		for (size_t i = 1; i < settled.count; i++)
			assert(settled.ranges[i].first > settled.ranges[i - 1].last + 1);
	}
	arena_free(&arena);
}

/* By trying out; `tries` bounds how long. */
static bool fits(struct str pattern, struct str name, unsigned *tries)
{
	if (!*tries || !--*tries)
		return false;
	if (!pattern.len)
		return !name.len;
	if (pattern.p[0] == '*' || pattern.p[0] == '%') {
		if (fits(str_cut(pattern, 1, pattern.len), name, tries))
			return true;
		return name.len && (pattern.p[0] == '*' || name.p[0] != '/') &&
		       fits(pattern, str_cut(name, 1, name.len), tries);
	}
	return name.len && name.p[0] == pattern.p[0] &&
	       fits(str_cut(pattern, 1, pattern.len), str_cut(name, 1, name.len), tries);
}

static void match(struct str in)
{
	ptrdiff_t space = str_find(in, ' ');
	struct pattern *p;

	if (space < 0)
		return;
	if ((p = pattern_new(str_cut(in, 0, (size_t)space)))) {
		struct str name = str_cut(in, (size_t)space + 1, in.len);
		unsigned tries = 20000;
		bool fitting = fits(str_cut(in, 0, (size_t)space), name, &tries);

		assert(!tries || str_eq(name, STR("INBOX")) || fitting == pattern_fits(p, name));
	}
	pattern_free(p);
}

static bool is_printable(struct str s)
{
	bool printable = true;

	for (size_t i = 0; i < s.len; i++)
		printable &= s.p[i] >= ' ' && s.p[i] <= '~';
	return printable;
}

static void convert_name(struct str in)
{
	struct buf utf8 = { 0 }, utf7 = { 0 }, again = { 0 };

	if (!utf7_decode(in, &utf8) && utf8_valid(buf_str(&utf8))) {
		utf7_encode(buf_str(&utf8), &utf7);
		for (size_t i = 0; i < buf_len(&utf7); i++)
			assert(buf_data(&utf7)[i] >= ' ' && buf_data(&utf7)[i] < 0x7f);
		assert(!utf7_decode(buf_str(&utf7), &again) && str_eq(buf_str(&again), buf_str(&utf8)));
		assert(!is_printable(in) || str_eq(in, buf_str(&utf7))); /* there is one way to write a name */
	}
	buf_free(&utf8);
	buf_free(&utf7);
	buf_free(&again);
}

/* What LIST asks for, of mailboxes of every kind. */
static void list(struct str in)
{
	static const struct mailbox_entry entries[] = {
		{ { "INBOX", 5 }, true, true, false, 0 },
		{ { "INBOX/a", 7 }, false, false, true, 0 },
		{ { "a", 1 }, false, true, false, 0 },
		{ { "a b", 3 }, true, false, true, USE_SENT },
		{ { "a/b", 3 }, true, false, true, USE_SENT | USE_JUNK },
	};
	size_t count = sizeof(entries) / sizeof(*entries);
	struct arena arena = { 0 };
	struct buf out = { 0 };

	for (int lsub = 0; lsub < 2; lsub++) {
		struct args a = { in, &arena, false };
		struct listing l;
		bool good = listing_parse(&a, lsub, &l);

		assert(!good || (l.count && l.count <= LIST_PATTERNS_MAX && !(lsub && l.extended)));
		if (!good)
			continue;
		good = listing_begin(&l, &arena);
		for (size_t i = 0; good && i < count; i++) {
			struct listing_line line = listing_line(&l, entries, count, i);

			assert(line.told || !line.child_info);
			assert(!line.told || entries[i].subscribed || entries[i].exists || entries[i].has_children);
			buf_clear(&out);
			listing_write(&l, &entries[i], &line, &out);
		}
		listing_end(&l);
	}
	buf_free(&out);
	arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = { (const char *)data + 1, size ? size - 1 : 0 };

	if (!in.len)
		return 0;
	read_commands(in, data[0] ? data[0] : 1);
	read_arguments(in);
	read_items(in);
	search(in);
	settle(in);
	match(in);
	list(in);
	convert_name(in);
	return 0;
}
