/* An mbox whose UIDs are not in order: those that can keep theirs do, damage to one costs that one alone. */
#include "storage/mailbox/mailbox.h"
#include "t/scratch.h"
#include "t/tap.h"

#define STEM "m"

static int directory;

/* An mbox of ours whose messages have these X-UIDs; 0: none. */
static void make(const char *uids)
{
	FILE *f = fdopen(openat(directory, STEM ".mbox", O_WRONLY | O_CREAT | O_TRUNC, 0600), "w");
	struct str left = str_of(uids), word;
	bool first = true;

	while ((word = str_word(&left)).len) {
		fputs("From a@b Thu Jan  1 00:00:07 1970\n", f);
		if (first)
			fputs("X-IMAPbase: 5 0000000003\n", f);
		if (!str_eq(word, STR("0")))
			fprintf(f, "X-UID: " STR_FMT "\n", STR_ARG(word));
		fprintf(f, "X-Postern: clock=a%s\nA: " STR_FMT "\n\n\n", first ? " id=1f generation=1" : "",
			STR_ARG(word));
		first = false;
	}
	fclose(f);
}

static void on_amiss(void *user, enum scan_amiss what, const char *text, uint32_t uid, uint64_t at)
{
	(void)text, (void)at;
	if (what == SCAN_UID)
		buf_printf(user, "!%u ", uid);
}

/* "1 2 3" in the order of UIDs, each with its X-UID behind '=' if that is another; then what was told, and uidnext. */
static void scan(struct buf *out)
{
	struct mailbox_scan s = { .directory = directory,
		.stem = STEM,
		.mbox_max = UINT64_MAX,
		.state_max = UINT64_MAX,
		.on_amiss = on_amiss };
	struct buf told = { 0 };
	int fd = openat(directory, STEM ".mbox", O_RDONLY);
	enum err e;

	s.user = &told;
	e = mailbox_scan_files(&s);
	for (size_t i = 0; !e && i < s.count; i++) {
		char text[300] = "";
		const char *was;

		if (pread(fd, text, sizeof(text) - 1, (off_t)s.messages[i].offset) <= 0 ||
			!mbox_is_message(str_of(text), &s.messages[i]))
			buf_printf(out, "unreadable ");
		was = strstr(text, "\nA: ") + 4;
		buf_printf(out, "%u", s.messages[i].uid);
		if ((uint32_t)strtoul(was, NULL, 10) != s.messages[i].uid)
			buf_printf(out, "=%.*s", (int)strcspn(was, "\n"), was);
		buf_add_char(out, ' ');
	}
	buf_add_str(out, buf_str(&told));
	buf_printf(out, "next %u%s", s.r.head.uidnext, s.untidy ? " untidy" : "");
	close(fd);
	buf_free(&told);
	mailbox_scan_free(&s);
}

static const struct {
	const char *what, *uids, *told;
} rows[] = {
	{ "UIDs in order are kept", "1 2 5 9", "1 2 5 9 next 10" },
	{ "the next one is what the mbox says, if that is more", "1 2", "1 2 next 4" },
	{ "one without gets what was its own", "1 0 3", "1 2=0 3 !2 next 4" },
	{ "two of them", "1 0 0 4", "1 2=0 3=0 4 !2 !3 next 5" },
	{ "the first", "0 2 3", "1=0 2 3 !1 next 4" },
	{ "the last gets the next one", "1 2 0", "1 2 4=0 !4 next 5" },
	{ "where it cannot be told which was its own it is new", "1 0 5 6", "1 5 6 7=0 !7 next 8 untidy" },
	{ "one that is too high costs itself alone", "1 2 90 4 5", "1 2 3=90 4 5 !3 next 6" },
	{ "and one that is too low", "1 2 3 1 5", "1 2 3 4=1 5 !4 next 6" },
	{ "one copied to the end is new", "4 5 6 2", "4 5 6 7=2 !7 next 8" },
	{ "twice the same", "4 4 5", "4 5 6=4 !6 next 7 untidy" },
	{ "none has any", "0 0 0", "4=0 5=0 6=0 !4 !5 !6 next 7" },
	{ "what is no UID", "1 x 4294967295 4", "1 2=x 3=4294967295 4 !2 !3 next 5" },
};

int main(void)
{
	directory = scratch_open();
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct buf told = { 0 };

		make(rows[i].uids);
		scan(&told);
		ok(str_eq(buf_str(&told), str_of(rows[i].told)), "%s", rows[i].what);
		if (!str_eq(buf_str(&told), str_of(rows[i].told)))
			printf("# " STR_FMT "\n", STR_ARG(buf_str(&told)));
		buf_free(&told);
	}
	scratch_close(directory);
	return done();
}
