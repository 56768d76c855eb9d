/* labels.c - see labels.h. What prints a line stands by what reads it. */
#include "storage/account/labels.h"
#include "core/mem.h"
#include "storage/path.h"
#include <stdlib.h>

#define VERSION  1
#define REST_MAX (1u << 20) /* bytes of such lines that are kept */

static const char *const use_words[USES] = { "Archive", "Drafts", "Junk", "Sent", "Trash" };

unsigned use_of(struct str word)
{
	for (unsigned i = 0; i < USES; i++)
		if (str_eq_nocase(word, str_of(use_words[i])))
			return 1u << i;
	return 0;
}

const char *use_word(unsigned use)
{
	unsigned place = 0;

	while (!(use & 1u << place))
		place++;
	return use_words[place];
}

/* --- the list ------------------------------------------------------------------------------------------------------- */

static size_t place_of(const struct labels *l, struct str name)
{
	size_t low = 0, high = l->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (str_cmp(str_of(l->list[middle].name), name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct labels *l, size_t at, struct str name)
{
	return at < l->count && str_eq(str_of(l->list[at].name), name);
}

const struct label *labels_find(const struct labels *l, struct str name)
{
	size_t at = place_of(l, name);

	return is_at(l, at, name) ? &l->list[at] : NULL;
}

/* What is said of a name from now on; nothing: it is not in the list. */
static void put(struct labels *l, struct str name, bool subscribed, unsigned uses)
{
	size_t at = place_of(l, name);

	if (!is_at(l, at, name)) {
		if (!subscribed && !uses)
			return;
		if (l->count == l->cap) {
			l->cap = l->cap ? 2 * l->cap : 8;
			l->list = mem_resize(l->list, l->cap * sizeof(*l->list));
		}
		memmove(&l->list[at + 1], &l->list[at], (l->count++ - at) * sizeof(*l->list));
		l->list[at] = (struct label){ .name = str_dup(name) };
	}
	l->list[at].subscribed = subscribed;
	l->list[at].uses = uses;
	if (subscribed || uses)
		return;
	free(l->list[at].name);
	l->count--;
	memmove(&l->list[at], &l->list[at + 1], (l->count - at) * sizeof(*l->list));
}

void labels_subscribe(struct labels *l, struct str name, bool subscribed)
{
	const struct label *old = labels_find(l, name);

	put(l, name, subscribed, old ? old->uses : 0);
}

void labels_use(struct labels *l, struct str name, unsigned uses)
{
	const struct label *old = labels_find(l, name);

	put(l, name, old && old->subscribed, uses);
}

struct labels labels_copy(const struct labels *l)
{
	struct labels copy = { mem_alloc((l->count + 1) * sizeof(*copy.list)), l->count, l->count + 1, l->made, { 0 } };

	for (size_t i = 0; i < l->count; i++) {
		copy.list[i] = l->list[i];
		copy.list[i].name = str_dup(str_of(l->list[i].name));
	}
	buf_add_str(&copy.rest, buf_str(&l->rest));
	return copy;
}

void labels_free(struct labels *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->list[i].name);
	free(l->list);
	buf_free(&l->rest);
	*l = (struct labels){ 0 };
}

/* --- the text ------------------------------------------------------------------------------------------------------- */

void labels_print(const struct labels *l, uint32_t uidvalidity, struct buf *out)
{
	buf_printf(out, "version %d\nuidvalidity %u\n", VERSION, uidvalidity);
	if (l->made)
		buf_add_str(out, STR("made\n"));
	for (size_t i = 0; i < l->count; i++) {
		const struct label *label = &l->list[i];
		char before = ' ';

		if (label->subscribed)
			buf_printf(out, "subscribed %s\n", label->name);
		if (!label->uses)
			continue;
		buf_add_str(out, STR("use"));
		for (unsigned use = 1; use < 1u << USES; use <<= 1)
			if (label->uses & use) {
				buf_printf(out, "%c%s", before, use_word(use));
				before = ',';
			}
		buf_printf(out, " %s\n", label->name);
	}
	buf_add_str(out, buf_str(&l->rest));
}

/* "Sent,Drafts" */
static unsigned read_uses(struct str words)
{
	unsigned uses = 0;

	while (words.len) {
		ptrdiff_t comma = str_find(words, ',');
		size_t len = comma < 0 ? words.len : (size_t)comma;

		uses |= use_of(str_cut(words, 0, len));
		words = str_cut(words, comma < 0 ? len : len + 1, words.len);
	}
	return uses;
}

/* Takes what stands before the next space; the rest of the line stays as it is. */
static struct str first_word(struct str *line)
{
	ptrdiff_t space = str_find(*line, ' ');
	size_t len = space < 0 ? line->len : (size_t)space;
	struct str word = str_cut(*line, 0, len);

	*line = str_cut(*line, space < 0 ? len : len + 1, line->len);
	return word;
}

/* False: it is of a later version. */
static bool read_line(struct labels *l, struct str whole, uint32_t *uidvalidity)
{
	struct str line = whole, word = first_word(&line);
	uint32_t number;
	unsigned uses;

	if (str_eq(word, STR("version")) && str_u32(line, &number))
		return number <= VERSION;
	if (str_eq(word, STR("uidvalidity")) && str_u32(line, &number))
		*uidvalidity = *uidvalidity < number ? number : *uidvalidity;
	else if (str_eq(word, STR("made")))
		l->made = true;
	else if (str_eq(word, STR("subscribed")) && !mailbox_name_check(line))
		labels_subscribe(l, line, true);
	else if (str_eq(word, STR("use")) && (uses = read_uses(first_word(&line))) && !mailbox_name_check(line))
		labels_use(l, line, uses);
	else if (whole.len && buf_len(&l->rest) < REST_MAX) {
		buf_add_str(&l->rest, whole);
		buf_add_char(&l->rest, '\n');
	}
	return true;
}

enum err labels_read(struct labels *l, struct str text, uint32_t *uidvalidity)
{
	while (text.len) {
		ptrdiff_t lf = str_find(text, '\n');
		size_t len = lf < 0 ? text.len : (size_t)lf;

		if (!read_line(l, str_cut(text, 0, len), uidvalidity))
			return ERR_NEVER;
		text = str_cut(text, lf < 0 ? len : len + 1, text.len);
	}
	return OK;
}
