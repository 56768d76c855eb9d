/* imap_listing.c - see imap_listing.h. */
#include "protocols/imap/imap_listing.h"
#include "protocols/imap/imap_write.h"

/* ---- what is asked ---- */

struct option {
	struct str word;
	unsigned bit;
};

static const struct option select_options[] = {
	{ { "SUBSCRIBED", 10 }, LIST_SUBSCRIBED },
	{ { "REMOTE", 6 }, LIST_REMOTE },
	{ { "RECURSIVEMATCH", 14 }, LIST_RECURSIVE },
	{ { "SPECIAL-USE", 11 }, LIST_SPECIAL_USE },
	{ { NULL, 0 }, 0 },
};

static const struct option return_options[] = {
	{ { "SUBSCRIBED", 10 }, LIST_SUBSCRIBED },
	{ { "CHILDREN", 8 }, LIST_CHILDREN },
	{ { "SPECIAL-USE", 11 }, LIST_SPECIAL_USE },
	{ { NULL, 0 }, 0 },
};

/* One word of a list of options; 0: it is none of them, and a is bad. */
static unsigned take_option(struct args *a, const struct option *options)
{
	struct str word = args_atom(a);

	for (; options->bit; options++)
		if (str_eq_nocase(word, options->word))
			return options->bit;
	args_wrong(a);
	return 0;
}

/* "(SUBSCRIBED RECURSIVEMATCH)", if it is there. */
static void take_selection(struct args *a, struct listing *l)
{
	if (!args_try(a, '('))
		return;
	l->extended = true;
	while (!a->bad && !args_peek(a, ')')) {
		if (l->selects)
			args_space(a);
		l->selects |= take_option(a, select_options);
	}
	args_char(a, ')');
	args_space(a);
	if (l->selects & LIST_RECURSIVE && !(l->selects & (LIST_SUBSCRIBED | LIST_SPECIAL_USE)))
		args_wrong(a); /* RFC 5258, 3: it says how, not what */
}

static void take_patterns(struct args *a, struct listing *l)
{
	bool many = !l->lsub && args_try(a, '(');

	l->extended |= many;
	do {
		if (l->count == LIST_PATTERNS_MAX)
			args_wrong(a);
		else
			l->patterns[l->count++] = args_pattern(a);
	} while (many && args_try(a, ' '));
	if (many)
		args_char(a, ')');
}

/* " RETURN (CHILDREN STATUS (MESSAGES))", if it is there. */
static void take_returns(struct args *a, struct listing *l)
{
	bool first = true;

	if (l->lsub || !args_word(a, STR(" RETURN (")))
		return;
	l->extended = true;
	for (; !a->bad && !args_peek(a, ')'); first = false) {
		if (!first)
			args_space(a);
		if (args_word(a, STR("STATUS ")))
			l->status_items = args_status_items(a);
		else
			l->returns |= take_option(a, return_options);
	}
	args_char(a, ')');
}

bool listing_parse(struct args *a, bool lsub, struct listing *l)
{
	*l = (struct listing){ .lsub = lsub };
	args_space(a);
	if (!lsub)
		take_selection(a, l);
	l->reference = args_mailbox(a);
	args_space(a);
	take_patterns(a, l);
	take_returns(a, l);
	return args_end(a);
}

/* ---- which names ---- */

bool listing_begin(struct listing *l, struct arena *arena)
{
	size_t bytes = 0;

	for (size_t n = 0; n < l->count; n++) {
		char *text = arena_printf(arena, STR_FMT STR_FMT, STR_ARG(l->reference), STR_ARG(l->patterns[n]));

		l->compiled[n] = pattern_new(str_of(text));
		bytes += n ? strlen(text) : 0;
		if (!l->compiled[n] || bytes > PATTERN_BYTES_MAX)
			return false;
	}
	return true;
}

void listing_end(struct listing *l)
{
	for (size_t n = 0; n < l->count; n++) {
		pattern_free(l->compiled[n]);
		l->compiled[n] = NULL;
	}
}

static bool is_fit(const struct listing *l, const struct mailbox_entry *e)
{
	bool fit = false;

	for (size_t n = 0; !fit && n < l->count; n++)
		fit = pattern_fits(l->compiled[n], e->name);
	return fit;
}

static bool is_selected(const struct listing *l, const struct mailbox_entry *e)
{
	if (l->selects & LIST_SPECIAL_USE && !e->uses)
		return false;
	if (l->lsub || l->selects & LIST_SUBSCRIBED)
		return e->subscribed;
	return e->exists || e->has_children; /* else it is only subscribed to */
}

/* Those below a name stand somewhere behind it in the list, all together. unfit: only those that do not fit themselves. */
static bool has_selected_below(
	const struct listing *l, const struct mailbox_entry *entries, size_t count, size_t place, bool unfit)
{
	struct str above = entries[place].name;

	for (size_t i = place + 1; i < count && str_starts(entries[i].name, above); i++)
		if (entries[i].name.p[above.len] == '/' && is_selected(l, &entries[i]) &&
			!(unfit && is_fit(l, &entries[i])))
			return true;
	return false;
}

struct listing_line listing_line(
	const struct listing *l, const struct mailbox_entry *entries, size_t count, size_t place)
{
	const struct mailbox_entry *e = &entries[place];
	struct listing_line line = { 0 };

	if (!is_fit(l, e))
		return line;
	if (is_selected(l, e)) {
		line.told = true;
		line.noselect = !e->exists && !l->lsub;
		line.child_info = l->selects & LIST_RECURSIVE && has_selected_below(l, entries, count, place, false);
	} else if (l->lsub || l->selects & LIST_RECURSIVE) {
		/* RFC 3501, 6.3.9: "%" tells of what is above names subscribed to; RFC 5258, 3.5: so does RECURSIVEMATCH */
		line.told = line.child_info = has_selected_below(l, entries, count, place, true);
		line.noselect = l->lsub || !e->exists;
	}
	return line;
}

/* ---- how it is told ---- */

static void write_child_info(const struct listing *l, struct buf *out)
{
	bool both = l->selects & LIST_SUBSCRIBED && l->selects & LIST_SPECIAL_USE;

	buf_printf(out, " (\"CHILDINFO\" (%s%s%s))", l->selects & LIST_SUBSCRIBED ? "\"SUBSCRIBED\"" : "",
		both ? " " : "", l->selects & LIST_SPECIAL_USE ? "\"SPECIAL-USE\"" : "");
}

void listing_write(
	const struct listing *l, const struct mailbox_entry *entry, const struct listing_line *line, struct buf *out)
{
	bool subscribed = (l->selects | l->returns) & LIST_SUBSCRIBED && entry->subscribed;

	buf_add_char(out, '(');
	if (line->noselect)
		buf_add_str(out, l->extended ? STR("\\NonExistent ") : STR("\\Noselect "));
	buf_add_str(out, entry->has_children ? STR("\\HasChildren") : STR("\\HasNoChildren"));
	if (subscribed)
		buf_add_str(out, STR(" \\Subscribed"));
	for (unsigned use = 1; !l->lsub && use < 1u << USES; use <<= 1)
		if (entry->uses & use)
			buf_printf(out, " \\%s", use_word(use));
	buf_add_str(out, STR(") \"/\" "));
	imap_write_mailbox(out, entry->name);
	if (line->child_info && l->selects & LIST_RECURSIVE)
		write_child_info(l, out);
}
