/* state.c - see state.h. What prints a line stands by what reads it. */
#include "storage/mailbox/state.h"
#include "core/mem.h"
#include "storage/mail/percent.h"
#include <inttypes.h>
#include <stdlib.h>

#define HEAD    STR("postern-state ")
#define VERSION 2

static const struct {
	uint32_t flag;
	char letter;
} letters[] = {
	{ FLAG_SEEN, 'S' },
	{ FLAG_ANSWERED, 'A' },
	{ FLAG_FLAGGED, 'F' },
	{ FLAG_DELETED, 'D' },
	{ FLAG_DRAFT, 'T' },
};

struct reader {
	struct keywords *k;
	const struct state_events *ev;
	void *user;
	struct uid_range *uids; /* of the line being read */
	size_t count, room;
	struct buf name, value; /* unescaped */
};

/* Words of a line: what would end one, or split it at ',' or '=', is written %XX, and so is a lone "-". */
static void add_escaped(struct buf *out, struct str s)
{
	bool lone = str_eq(s, STR("-"));

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c > ' ' && c != 0x7f && !strchr(",=%", c) && !lone)
			buf_add_char(out, s.p[i]);
		else
			percent_add(out, s.p[i]);
	}
}

static struct str unescape(struct str s, struct buf *b)
{
	buf_clear(b);
	percent_decode(b, s);
	return buf_str(b);
}

void state_print_head(struct buf *out, const struct state_head *h)
{
	buf_printf(out,
		"postern-state %d id=%" PRIx64 " generation=%" PRIu32 " uidvalidity=%" PRIu32 " uidnext=%" PRIu32
		" clock=%" PRIu64 "%s\n",
		h->mdir ? VERSION : 1, h->id, h->generation, h->uidvalidity, h->uidnext, h->clock,
		h->mdir ? " form=mdir" : "");
}

/* Behind HEAD. Words not known are of later ways to say more, and are passed over. *newer: of a higher version. */
static bool read_head(struct str line, struct state_head *h, bool *newer)
{
	static const struct {
		struct str key;
		size_t at;
	} numbers[] = {
		{ { "generation=", 11 }, offsetof(struct state_head, generation) },
		{ { "uidvalidity=", 12 }, offsetof(struct state_head, uidvalidity) },
		{ { "uidnext=", 8 }, offsetof(struct state_head, uidnext) },
	};
	struct state_head read = { 0 };
	struct str word;
	uint32_t version = 0;

	if (!str_u32(str_word(&line), &version) || !version || version > VERSION) {
		*newer = version > VERSION;
		return false;
	}
	while ((word = str_word(&line)).len) {
		bool good = true;

		for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
			if (str_starts(word, numbers[i].key))
				good = str_u32(str_cut(word, numbers[i].key.len, word.len),
					(uint32_t *)((char *)&read + numbers[i].at));
		if (str_starts(word, STR("id=")))
			good = str_hex(str_cut(word, 3, word.len), &read.id);
		else if (str_starts(word, STR("clock=")))
			good = str_u64(str_cut(word, 6, word.len), &read.clock);
		else if (str_eq(word, STR("form=mdir")))
			read.mdir = true;
		if (!good)
			return false;
	}
	*h = read;
	return true;
}

/* "1:3,7": neighbours are one range. */
static void print_uids(struct buf *out, const struct uid_range *uids, size_t count)
{
	for (size_t i = 0; i < count;) {
		uint32_t first = uids[i].first, last = uids[i].last;

		for (i++; i < count && uids[i].first <= (uint64_t)last + 1; i++)
			last = uids[i].last > last ? uids[i].last : last;
		buf_printf(out, "%" PRIu32, first);
		if (last > first)
			buf_printf(out, ":%" PRIu32, last);
		if (i < count)
			buf_add_char(out, ',');
	}
}

static bool read_range(struct str s, struct uid_range *range)
{
	ptrdiff_t colon = str_find(s, ':');
	struct str first = colon < 0 ? s : str_cut(s, 0, (size_t)colon);
	struct str last = colon < 0 ? s : str_cut(s, (size_t)colon + 1, s.len);

	if (!str_u32(first, &range->first) || !str_u32(last, &range->last) || !range->first || !range->last)
		return false;
	if (range->first > range->last)
		*range = (struct uid_range){ range->last, range->first };
	return true;
}

static int by_first(const void *a, const void *b)
{
	const struct uid_range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/* Ascending, and no range touches the next. */
static void merge(struct reader *r)
{
	size_t kept = 0;

	qsort(r->uids, r->count, sizeof(*r->uids), by_first);
	for (size_t i = 1; i < r->count; i++) {
		struct uid_range *before = &r->uids[kept];

		if (r->uids[i].first > (uint64_t)before->last + 1)
			r->uids[++kept] = r->uids[i];
		else if (r->uids[i].last > before->last)
			before->last = r->uids[i].last;
	}
	r->count = kept + 1;
}

/* As many ranges as the line has room for: no more than half its bytes. */
static bool read_uids(struct reader *r, struct str word)
{
	bool ordered = true;

	r->count = 0;
	for (bool more = true; more;) {
		ptrdiff_t comma = str_find(word, ',');
		struct uid_range *range;

		if (r->count == r->room) {
			r->room = r->room ? 2 * r->room : 16;
			r->uids = mem_resize(r->uids, r->room * sizeof(*r->uids));
		}
		range = &r->uids[r->count];
		if (!read_range(comma < 0 ? word : str_cut(word, 0, (size_t)comma), range))
			return false;
		if (r->count && range->first <= (uint64_t)range[-1].last + 1)
			ordered = false;
		r->count++;
		more = comma >= 0;
		word = more ? str_cut(word, (size_t)comma + 1, word.len) : STR_NONE;
	}
	if (!ordered)
		merge(r);
	return true;
}

void state_print_flags(struct buf *out, const struct uid_range *uids, size_t count, uint32_t flags, uint64_t keywords,
	const struct keywords *k, uint64_t clock)
{
	bool any = false;

	buf_add_str(out, STR("flags "));
	print_uids(out, uids, count);
	buf_add_char(out, ' ');
	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		if (flags & letters[i].flag)
			buf_add_char(out, letters[i].letter);
	buf_add_str(out, flags & FLAG_SYSTEM ? STR(" ") : STR("- "));
	for (unsigned i = 0; i < k->count; i++) {
		if (!(keywords & UINT64_C(1) << i))
			continue;
		if (any)
			buf_add_char(out, ',');
		add_escaped(out, str_of(k->word[i]));
		any = true;
	}
	buf_printf(out, "%s %" PRIu64 "\n", any ? "" : "-", clock);
}

static bool read_letters(struct str word, uint32_t *flags)
{
	*flags = 0;
	if (str_eq(word, STR("-")))
		return true;
	for (size_t i = 0; i < word.len; i++) {
		size_t l = 0;

		while (l < sizeof(letters) / sizeof(letters[0]) && letters[l].letter != word.p[i])
			l++;
		if (l == sizeof(letters) / sizeof(letters[0]))
			return false;
		*flags |= letters[l].flag;
	}
	return word.len > 0;
}

static uint64_t read_keywords(struct reader *r, struct str word)
{
	uint64_t bits = 0;

	if (str_eq(word, STR("-")))
		return 0;
	while (word.len) {
		ptrdiff_t comma = str_find(word, ',');
		struct str one = comma < 0 ? word : str_cut(word, 0, (size_t)comma);
		int bit = keywords_bit(r->k, unescape(one, &r->value));

		if (bit >= 0)
			bits |= UINT64_C(1) << bit;
		word = comma < 0 ? STR_NONE : str_cut(word, (size_t)comma + 1, word.len);
	}
	return bits;
}

static bool read_flags(struct reader *r, struct str line)
{
	struct str uids = str_word(&line), flags = str_word(&line), keywords = str_word(&line);
	uint64_t clock;
	uint32_t bits;

	if (!read_uids(r, uids) || !read_letters(flags, &bits) || !keywords.len || !str_u64(str_word(&line), &clock) ||
		line.len)
		return false;
	if (r->ev->on_flags)
		r->ev->on_flags(r->user, r->uids, r->count, bits, read_keywords(r, keywords), clock);
	return true;
}

void state_print_expunge(struct buf *out, const struct uid_range *uids, size_t count, uint64_t clock)
{
	buf_add_str(out, STR("expunge "));
	print_uids(out, uids, count);
	buf_printf(out, " %" PRIu64 "\n", clock);
}

static bool read_expunge(struct reader *r, struct str line)
{
	struct str uids = str_word(&line);
	uint64_t clock;

	if (!read_uids(r, uids) || !str_u64(str_word(&line), &clock) || line.len)
		return false;
	if (r->ev->on_expunge)
		r->ev->on_expunge(r->user, r->uids, r->count, clock);
	return true;
}

void state_print_set(struct buf *out, struct str name, struct str value, uint64_t clock)
{
	buf_add_str(out, STR("set "));
	add_escaped(out, name);
	buf_add_char(out, '=');
	add_escaped(out, value);
	buf_printf(out, " %" PRIu64 "\n", clock);
}

static bool read_set(struct reader *r, struct str line)
{
	struct str pair = str_word(&line);
	ptrdiff_t equals = str_find(pair, '=');
	uint64_t clock;

	if (equals <= 0 || !str_u64(str_word(&line), &clock) || line.len)
		return false;
	if (r->ev->on_set)
		r->ev->on_set(r->user, unescape(str_cut(pair, 0, (size_t)equals), &r->name),
			unescape(str_cut(pair, (size_t)equals + 1, pair.len), &r->value), clock);
	return true;
}

/* Where a line was lost there is a hole before the next. */
static bool read_line(struct reader *r, struct str line)
{
	struct str word;

	while (line.len && line.p[0] == '\0')
		line = str_cut(line, 1, line.len);
	word = str_word(&line);

	if (str_eq(word, STR("flags")))
		return read_flags(r, line);
	if (str_eq(word, STR("expunge")))
		return read_expunge(r, line);
	if (str_eq(word, STR("set")))
		return read_set(r, line);
	return !word.len; /* an empty line says nothing */
}

size_t state_read(struct str bytes, struct state_head *head, struct keywords *k, const struct state_events *ev,
	void *user, enum err *e)
{
	struct reader r = { .k = k, .ev = ev, .user = user };
	struct str left = bytes;
	bool newer = false;
	ptrdiff_t end;

	while (!newer && (end = str_find(left, '\n')) >= 0) {
		struct str line = str_cut(left, 0, (size_t)end);
		bool is_head = left.len == bytes.len && str_starts(line, HEAD);
		bool good = is_head ? read_head(str_cut(line, HEAD.len, line.len), head, &newer) : read_line(&r, line);

		if (!good && !newer && ev->on_amiss)
			ev->on_amiss(user, bytes.len - left.len, line);
		left = str_cut(left, (size_t)end + 1, left.len);
	}
	free(r.uids);
	buf_free(&r.name);
	buf_free(&r.value);
	*e = newer ? ERR_NEVER : OK;
	return newer ? 0 : bytes.len - left.len;
}
