/* imap_news.c - what a client is told of its mailbox unasked (RFC 3501, 7.2 to 7.4). */
#include "protocols/imap/imap_session.h"

static void write_words(const struct imap *s, uint32_t flags, uint64_t keywords, bool recent, struct buf *out)
{
	static const struct {
		uint32_t flag;
		const char *word;
	} words[] = {
		{ FLAG_ANSWERED, "\\Answered " },
		{ FLAG_FLAGGED, "\\Flagged " },
		{ FLAG_DELETED, "\\Deleted " },
		{ FLAG_SEEN, "\\Seen " },
		{ FLAG_DRAFT, "\\Draft " },
	};
	size_t before = buf_len(out);

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (flags & words[i].flag)
			buf_add_str(out, str_of(words[i].word));
	if (recent)
		buf_add_str(out, STR("\\Recent "));
	for (unsigned bit = 0; keywords; bit++, keywords >>= 1) {
		const char *word = keywords & 1 ? selected_keyword(s->mailbox, bit) : NULL;

		if (word)
			buf_printf(out, "%s ", word);
	}
	if (buf_len(out) > before)
		buf_cut(out, buf_len(out) - 1);
}

void imap_write_flags(const struct imap *s, const struct message *m, struct buf *out)
{
	buf_add_str(out, STR("FLAGS ("));
	write_words(s, m->flags & FLAG_SYSTEM, m->keywords, selected_is_recent(s->mailbox, m), out);
	buf_add_char(out, ')');
}

void imap_tell_flags(struct imap *s)
{
	unsigned count = selected_keyword_count(s->mailbox);
	uint64_t all = count >= 64 ? UINT64_MAX : (1ull << count) - 1;
	struct buf *out = conn_out(s->conn);

	buf_add_str(out, STR("* FLAGS ("));
	write_words(s, FLAG_SYSTEM, all, false, out);
	buf_add_str(out, STR(")\r\n* OK [PERMANENTFLAGS ("));
	if (!s->read_only) {
		write_words(s, FLAG_SYSTEM, all, false, out);
		buf_add_str(out, count < KEYWORDS_MAX ? STR(" \\*") : STR(""));
	}
	buf_add_str(out, STR(")] what can be kept\r\n"));
	conn_wrote(s->conn);
	s->keywords_told = count;
}

uint64_t imap_keyword_bits(const struct imap *s, struct str word)
{
	uint64_t bits = 0;

	for (unsigned bit = 0; bit < selected_keyword_count(s->mailbox); bit++)
		if (str_eq_nocase(word, str_of(selected_keyword(s->mailbox, bit))))
			bits |= 1ull << bit;
	return bits;
}

static void on_expunge(void *user, uint32_t seq)
{
	imap_untagged(user, "%u EXPUNGE", seq);
}

static void on_exists(void *user, uint32_t exists, uint32_t recent)
{
	imap_untagged(user, "%u EXISTS", exists);
	imap_untagged(user, "%u RECENT", recent);
}

/* Whether the client knows all of that: STORE has told it or need not (.SILENT), or FETCH has. */
static bool is_told(const struct imap *s, const struct message *m)
{
	const struct told *t = imap_told_find(s->work->told, s->work->told_count, m->uid);

	if (!t)
		t = imap_seen_find(s, m->uid);
	return t && t->flags == (m->flags & FLAG_SYSTEM) && t->keywords == m->keywords;
}

static void on_flags(void *user, uint32_t seq, const struct message *changed)
{
	struct imap *s = user;
	struct message m = *changed;
	struct buf *out;

	imap_seen_mend(s, &m);
	if (is_told(s, &m))
		return;
	out = conn_out(s->conn);
	buf_printf(out, "* %u FETCH (", seq);
	if (s->command && s->command->besides & IS_UID) /* RFC 3501, 6.4.8: UID is there in answer to a UID command */
		buf_printf(out, "UID %u ", m.uid);
	imap_write_flags(s, &m, out);
	buf_add_str(out, STR(")\r\n"));
	conn_wrote(s->conn);
}

static void on_keywords(void *user)
{
	struct imap *s = user;

	if (selected_keyword_count(s->mailbox) != s->keywords_told)
		imap_tell_flags(s);
}

static void changed(void *user)
{
	struct imap *s = user;

	s->news_due = true;
	if (conn_has_room(s->conn)) /* else on_room: a client that does not read is told once it does */
		imap_news(s, true);
}

static const struct selected_news news = {
	.on_expunge = on_expunge, .on_exists = on_exists, .on_flags = on_flags, .on_keywords = on_keywords
};

/* True: a part was told, and the next one follows. */
static bool told_part(struct imap *s, bool may_expunge)
{
	return s->mailbox && selected_sync_part(s->mailbox, may_expunge, &news, s);
}

/* Only while a command is under way, which may be IDLE, is anything told (RFC 3501, 7.4.1). */
static void news_step(void *user)
{
	struct imap *s = user;
	bool has_late = s->work->late.len > 0;

	if (s->parted || (!has_late && !s->watching))
		return;
	s->news_due = !conn_has_room(s->conn); /* then on_room */
	if (s->news_due)
		return;
	if (told_part(s, !has_late || !(s->command->besides & KEEPS_SEQS)))
		chore_start(s->worker->chores, &s->work->telling, news_step, s);
	else if (has_late)
		imap_tagged(s);
	else
		imap_news(s, true);
}

void imap_news_on(struct imap *s)
{
	news_step(s);
}

bool imap_news_late(struct imap *s)
{
	if (!told_part(s, !(s->command->besides & KEEPS_SEQS)))
		return false;
	chore_start(s->worker->chores, &s->work->telling, news_step, s);
	return true;
}

void imap_news(struct imap *s, bool may_expunge)
{
	s->news_due = false;
	if (!s->mailbox)
		return;
	if (s->watching && told_part(s, may_expunge)) {
		chore_start(s->worker->chores, &s->work->telling, news_step, s);
		return;
	}
	selected_sync(s->mailbox, may_expunge, &news, s);
	imap_seen_synced(s);
	if (s->watching)
		selected_watch(s->mailbox, changed, s);
}

void imap_watch(struct imap *s, bool watching)
{
	s->watching = watching;
	if (s->dormant && !watching)
		dormant_unwatch(s->dormant);
	if (!s->mailbox)
		return;
	if (watching)
		imap_news(s, true);
	else
		selected_watch(s->mailbox, NULL, NULL);
}

void imap_leave(struct imap *s)
{
	if (!s->mailbox && !s->dormant)
		return;
	imap_seen_drop(s);
	selected_free(s->mailbox);
	dormant_free(s->dormant);
	s->mailbox = NULL;
	s->dormant = NULL;
	s->work->read_uid = 0;
	imap_enter(s, KNOWN);
}
