/* mbox.c - see mbox.h. What a message is given when it is written; mbox_scan.c reads it.
 *   From alice@example.test Mon Nov 23 05:40:43 2026
 *   X-IMAPbase: 1795412443 0000000007 $Forwarded work
 *   X-UID: 7
 *   Status: RO
 *   X-Status: AF
 *   X-Keywords: work
 *   X-Postern: clock=6b02c00001 id=1f generation=1 version=1
 * Fields that would say nothing are left out, but X-UID and X-Postern always stand there: the first tells a reader
 * that it is at the right place, the second ends the prefix, so that no message can be taken for a part of it. */
#include "storage/mailbox/mbox.h"
#include "storage/mail/date.h"
#include <inttypes.h>

#define SENDER_MAX         256 /* bytes of the sender in a postmark */
#define POSTMARK_WORDS_MAX 32  /* before the date of a foreign postmark */
#define POSTMARK_DATE_MAX  64

static const struct {
	uint32_t flag;
	char letter;
} xstatus[] = {
	{ FLAG_ANSWERED, 'A' },
	{ FLAG_FLAGGED, 'F' },
	{ FLAG_DRAFT, 'T' },
	{ FLAG_DELETED, 'D' },
};

/* An atom as RFC 3501, 9 has it, so that no system flag (they begin with a backslash) and no list is one. */
static bool is_keyword(struct str word)
{
	if (!word.len || word.len > KEYWORD_BYTES_MAX)
		return false;
	for (size_t i = 0; i < word.len; i++)
		if (word.p[i] <= ' ' || word.p[i] >= 0x7f || strchr("(){%*\"\\]", word.p[i]))
			return false;
	return true;
}

int keywords_find(const struct keywords *k, struct str word)
{
	for (unsigned i = 0; i < k->count; i++)
		if (str_eq_nocase(str_of(k->word[i]), word))
			return (int)i;
	return -1;
}

int keywords_bit(struct keywords *k, struct str word)
{
	int bit = keywords_find(k, word);

	if (bit >= 0 || k->count == KEYWORDS_MAX || !is_keyword(word))
		return bit;
	bit = (int)k->count++;
	memcpy(k->word[bit], word.p, word.len);
	k->word[bit][word.len] = '\0';
	return bit;
}

/* One word of printable ASCII: what others' readers of postmarks expect. */
static void add_sender(struct buf *out, struct str sender)
{
	if (!sender.len)
		sender = STR("MAILER-DAEMON");
	for (size_t i = 0; i < sender.len && i < SENDER_MAX; i++)
		buf_add_char(out, sender.p[i] > ' ' && sender.p[i] < 0x7f ? sender.p[i] : '_');
}

static void add_keywords(struct buf *out, const struct keywords *k, uint64_t bits)
{
	for (unsigned i = 0; i < k->count; i++)
		if (bits & UINT64_C(1) << i)
			buf_printf(out, " %s", k->word[i]);
}

void mbox_postmark_print(struct buf *out, struct str sender, int64_t date)
{
	char text[DATE_TEXT_SIZE];

	date_postmark_print(text, date);
	buf_add_str(out, STR("From "));
	add_sender(out, sender);
	buf_printf(out, " %s\n", text);
}

void mbox_prefix(struct buf *out, const struct message *m, struct str sender, const struct keywords *k,
	const struct mbox_base *base)
{
	mbox_postmark_print(out, sender, m->date);
	if (base) {
		buf_printf(out, "X-IMAPbase: %" PRIu32 " %010" PRIu32, base->uidvalidity, base->last_uid);
		add_keywords(out, k, UINT64_MAX);
		buf_add_char(out, '\n');
	}
	buf_printf(out, "X-UID: %" PRIu32 "\n", m->uid);
	if (m->flags & FLAG_SEEN)
		buf_add_str(out, STR("Status: RO\n"));
	if (m->flags & (FLAG_ANSWERED | FLAG_FLAGGED | FLAG_DRAFT | FLAG_DELETED)) {
		buf_add_str(out, STR("X-Status: "));
		for (size_t i = 0; i < sizeof(xstatus) / sizeof(xstatus[0]); i++)
			if (m->flags & xstatus[i].flag)
				buf_add_char(out, xstatus[i].letter);
		buf_add_char(out, '\n');
	}
	if (m->keywords) {
		buf_add_str(out, STR("X-Keywords:"));
		add_keywords(out, k, m->keywords);
		buf_add_char(out, '\n');
	}
	buf_printf(out, "X-Postern: clock=%" PRIx64, m->clock);
	if (base)
		buf_printf(out, " id=%" PRIx64 " generation=%" PRIu32 " version=%d", base->id, base->generation,
			MBOX_VERSION);
	buf_add_char(out, '\n');
}

/* Foreign senders may be of several words, and dates of several forms: a date begins with its weekday. */
static bool is_date(struct str text, int64_t *seconds)
{
	static const char weekdays[] = "Mon Tue Wed Thu Fri Sat Sun ";
	const char *day;
	struct date d;

	if (text.len < 4 || text.len > POSTMARK_DATE_MAX)
		return false;
	day = memmem(weekdays, sizeof(weekdays) - 1, text.p, 4);
	if (!day || (day - weekdays) % 4 || !date_postmark(text, &d))
		return false;
	*seconds = date_seconds(&d);
	return true;
}

bool mbox_postmark(struct str line, struct str *sender, int64_t *date)
{
	static const char remote[] = " remote from "; /* UUCP's, behind the date */
	const char *end;
	size_t at = 0;

	if (!str_starts(line, STR("From ")))
		return false;
	line = str_trim(str_cut(line, 5, line.len));
	end = line.len ? memmem(line.p, line.len, remote, sizeof(remote) - 1) : NULL;
	if (end)
		line.len = (size_t)(end - line.p);
	for (unsigned words = 0; words < POSTMARK_WORDS_MAX; words++) {
		ptrdiff_t space = str_find(str_cut(line, at, line.len), ' ');

		if (space < 0)
			break;
		at += (size_t)space + 1;
		*sender = str_trim(str_cut(line, 0, at));
		if (is_date(str_cut(line, at, line.len), date))
			return true;
	}
	*sender = STR_NONE;
	return is_date(line, date);
}

bool mbox_is_message(struct str head, const struct message *m)
{
	struct str left = { head.p, m->prefix }, postmark = STR_NONE, sender;
	bool has_uid = false;
	int64_t date;

	if (head.len < m->prefix || !m->prefix)
		return false;
	for (bool first = true; left.len; first = false) {
		ptrdiff_t end = str_find(left, '\n');
		struct str value, line = str_cut(left, 0, end < 0 ? 0 : (size_t)end);
		bool folded = line.len && (line.p[0] == ' ' || line.p[0] == '\t');
		enum form_field field = first || folded ? FORM_OTHER : form_field_of(line, true, &value);
		uint32_t uid;

		if (end < 0 || (first && !str_starts(line, STR("From "))))
			return false;
		if (first)
			postmark = line;
		if (!first && !folded && field == FORM_OTHER)
			return false;
		if (field == FORM_UID && !(str_u32(value, &uid) && uid == m->uid))
			return false;
		has_uid |= field == FORM_UID;
		left = str_cut(left, (size_t)end + 1, left.len);
	}
	return has_uid || mbox_postmark(postmark, &sender, &date);
}
