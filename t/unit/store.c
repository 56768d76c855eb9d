/* The store: what is put into mailboxes comes out again, for everybody, in order, whatever is lost in between. */
#include "t/store.h"

#define ALICE "alice@example.test"

static struct account *alice;

static void test_login(void)
{
	ok(!log_in(ALICE, "wrong") && got.e == ERR_DENIED, "a wrong password is refused");
	ok(!log_in("nobody@example.test", "secret") && got.e == ERR_DENIED, "and so is an account that is not there");
	alice = log_in("Alice+x@Example.TEST", "secret");
	ok(alice && !strcmp(alice->address, ALICE) && !alice->admin,
		"the right one opens the account, in canonical form");
}

static void test_recipient(void)
{
	ok(!recipient("ALICE+lists@example.test") && got_text(ALICE), "mail with a detail is for the account");
	ok(recipient("nobody@example.test") == ERR_ABSENT, "an account of our domain may be missing");
	ok(recipient("alice@elsewhere.test") == ERR_DENIED, "and a domain may not be ours");
	ok(recipient("no address") == ERR_MISTAKE, "what is no address is said to be none");
}

static void test_deliver(void)
{
	struct name name = name_next(asker);
	struct selected *s;
	struct message m;

	ok(!deliver(ALICE, "Subject: one\r\n\r\nFrom here\r\n"), "a message is delivered");
	ok(!deliver_named(ALICE, STR("Subject: two\r\n\r\n2\r\n"), name), "and another");
	ok(!deliver_named(ALICE, STR("Subject: two\r\n\r\n2\r\n"), name), "that one once more, by the same name");
	s = select_mailbox(alice, "inbox", true);
	ok(s && selected_exists(s) == 2, "are two messages");
	ok(selected_recent(s) == 2 && selected_first_unseen(s) == 1 && selected_uidnext(s) == 3, "recent and unseen");
	ok(str_eq(read_message(s, 1), STR("Return-Path: <bob@example.test>\nSubject: one\n\n>From here\n")),
		"the first is as it was, in stored form, with its trace");
	selected_message(s, 1, &m);
	ok(m.uid == 1 && m.wire == 33 + 14 + 2 + 11, "its size is that of the wire");
	ok(!deliver(ALICE, "Subject: three\r\n\r\n3\r\n") && !status(alice, "INBOX") && got.status.messages == 3,
		"STATUS counts the third at once");
	ok(sync_tells(s, false, "=3"), "and a sync tells of it");
	ok(str_eq(read_message(s, 3), STR("Return-Path: <bob@example.test>\nSubject: three\n\n3\n")), "it can be read");
	selected_free(s);
	s = select_mailbox(alice, "INBOX", false);
	ok(s && selected_recent(s) == 0 && selected_read_only(s), "nothing is recent any more");
	selected_free(s);
	ok(!select_mailbox(alice, "missing", true) && got.e == ERR_ABSENT,
		"a mailbox that is not there is not selected");
	ok(!select_mailbox(alice, "a//b", true) && got.e == ERR_MISTAKE, "nor one that cannot be");
}

static void test_append(void)
{
	struct selected *s;
	struct message m;

	ok(append(alice, "Drafts", STR("Subject: x\r\n\r\nx\r\n"), 0, NULL, 0) == ERR_ABSENT,
		"nothing is appended to a mailbox that is not there");
	ok(!create(alice, "Drafts") && create(alice, "Drafts") == ERR_EXISTS, "it is made, once");
	ok(!append(alice, "Drafts", STR("Subject: x\r\n\r\nx\r\n"), FLAG_SEEN | FLAG_DRAFT, "$Later", 86400) &&
			got.uid == 1 && got.uidvalidity,
		"then a message is appended, and its UID is told");
	s = select_mailbox(alice, "Drafts", true);
	selected_message(s, 1, &m);
	ok(selected_exists(s) == 1 && m.flags == (FLAG_SEEN | FLAG_DRAFT) && m.date == 86400,
		"with its flags and its date");
	ok(m.keywords == 1 && selected_keyword_count(s) == 1 && !strcmp(selected_keyword(s, 0), "$Later"),
		"and its keyword");
	ok(selected_uidvalidity(s) == got.uidvalidity, "UIDVALIDITY is what was told");
	ok(!append(alice, "Drafts", STR("Subject: y\r\n\r\ny\r\n"), 0, "work", 0) && sync_tells(s, false, "words =2"),
		"a second one is seen by the session when it is told, with its new keyword");
	ok(append(alice, "Drafts", STR("Subject: z\r\n\r\nz\r\n"), 0, "no good", 0) == ERR_MISTAKE,
		"what is no keyword is refused");
	selected_free(s);
}

/* Messages of different sizes in one APPEND, the n-th with the keyword. */
static enum err append_many(const struct account *a, size_t count, size_t bad, const char *keyword)
{
	struct append *list = mem_alloc(count * sizeof(*list));
	struct str word = str_of(keyword);

	for (size_t i = 0; i < count; i++) {
		struct buf wire = { 0 };

		buf_printf(&wire, "Subject: %zu\r\n\r\n", i);
		for (size_t line = 0; i % 7 == 3 && line < 6000; line++)
			buf_add_str(&wire, STR("a line of many, so that it is too long for memory\r\n"));
		list[i] = (struct append){ draft_of(buf_str(&wire)), { 0, &word, i == bad }, 0 };
		buf_free(&wire);
	}
	got_begin();
	store_append(asker, a, STR("Many"), list, count, on_append, NULL);
	got_end();
	for (size_t i = 0; i < count; i++)
		draft_free(list[i].draft);
	free(list);
	return got.e;
}

static void test_many(void)
{
	struct selected *s, *other;
	bool right = true;

	ok(append_many(alice, 2, 0, "k") == ERR_ABSENT && !create(alice, "Many") && !append_many(alice, 20, 5, "k") &&
			got.uid == 1,
		"several messages are appended, short ones and long ones");
	s = select_mailbox(alice, "Many", true);
	other = select_mailbox(alice, "Many", false);
	for (uint32_t seq = 1; seq <= 20; seq++) {
		struct message m;
		char subject[32];

		selected_message(s, seq, &m);
		snprintf(subject, sizeof(subject), "Subject: %u\n\n", seq - 1);
		right &= m.uid == seq && m.keywords == (seq == 6) && str_starts(read_message(s, seq), str_of(subject));
	}
	ok(selected_exists(s) == 20 && right, "they are there, one after the other");
	ok(append_many(alice, 20, 19, "no good") == ERR_MISTAKE && sync_tells(s, true, "") &&
			selected_keyword_count(s) == 1,
		"if one is refused there is none of them");
	ok(!append_many(alice, 300, 0, "k") && got.uid == 21 && sync_tells(other, true, "=320"),
		"many are seen all at once");
	selected_free(s);
	selected_free(other);
	ok(!delete_mailbox(alice, "Many"), "and they go");
}

static void test_large(void)
{
	size_t len = 3 << 20;
	struct buf wire = { 0 };
	struct selected *s;

	buf_add_str(&wire, STR("Subject: large\r\n\r\n"));
	while (buf_len(&wire) < len)
		buf_add_str(&wire, STR("From the start of this line on it is as long as any other line.\r\n"));
	ok(!append(alice, "Drafts", buf_str(&wire), 0, NULL, 0), "a message too long for memory is appended");
	s = select_mailbox(alice, "Drafts", true);
	ok(read_message(s, 3).len > len / 66 * 65, "and can be read");
	ok(!copy(alice, s, 1, 3, "Drafts", false) && got_text("1:3 4:6"), "it is copied by way of a file");
	ok(sync_tells(s, true, "=6"), "into its own mailbox");
	ok(str_starts(read_message(s, 6), STR("Subject: large\n\n>From the")), "the copy is the same");
	selected_free(s);
	buf_free(&wire);
}

static void test_flags(void)
{
	struct selected *s = select_mailbox(alice, "INBOX", true), *other = select_mailbox(alice, "INBOX", true);
	struct message m;

	ok(!change_flags(alice, s, 1, 2, FLAGS_ADD, FLAG_SEEN, NULL), "flags are added");
	ok(sync_tells(s, false, "1:1 2:1") && sync_tells(other, false, "1:1 2:1"), "every session learns of it");
	ok(sync_tells(s, false, "") && sync_tells(other, true, ""), "once");
	ok(!change_flags(alice, s, 2, 9, FLAGS_REPLACE, FLAG_FLAGGED, "work") && sync_tells(s, true, "words 2:4 3:4"),
		"flags are replaced, and a keyword set");
	ok(!change_flags(alice, s, 2, 2, FLAGS_REMOVE, FLAG_FLAGGED, "WORK") && sync_tells(s, true, "2:0"),
		"flags are removed; the case of a keyword says nothing");
	selected_message(s, 2, &m);
	ok(!m.keywords, "it has no keyword then");
	ok(!change_flags(alice, s, 2, 2, FLAGS_REMOVE, FLAG_FLAGGED, "never") && sync_tells(s, true, ""),
		"a change that changes nothing is none");
	ok(!status(alice, "INBOX") && got.status.unseen == 2 && got.status.messages == 3, "STATUS counts by flags");
	ok(!change_flags(alice, s, 1, 1, FLAGS_ADD, FLAG_DELETED, NULL) && !status(alice, "INBOX") &&
			got.status.deleted == 1,
		"and by \\Deleted");
	ok(!expunge(alice, s), "what is deleted is expunged");
	ok(sync_tells(other, false, "words 2:0 3:4"), "a session that may not hear of it keeps its numbers");
	selected_message(other, 1, &m);
	ok(selected_exists(other) == 3 && m.flags & FLAG_EXPUNGED, "though the message is gone");
	ok(sync_tells(other, true, "-1") && selected_exists(other) == 2, "until it may");
	selected_message(other, 1, &m);
	ok(m.uid == 2 && selected_seq(other, 3) == 2 && !selected_seq(other, 1) && selected_seq_from(other, 1) == 1,
		"the others have moved up");
	ok(sync_tells(s, true, "-1") && !status(alice, "INBOX") && got.status.messages == 2 && !got.status.deleted,
		"the first session hears of it too");
	selected_free(s);
	selected_free(other);
}

static void test_copy(void)
{
	struct selected *s = select_mailbox(alice, "INBOX", true), *t;
	struct message m;

	ok(copy(alice, s, 1, 9, "Archive", false) == ERR_ABSENT, "nothing is copied to where nothing is");
	ok(!create(alice, "Archive/2026") && !copy(alice, s, 1, 9, "Archive/2026", false) && got_text("2:3 1:2"),
		"two messages are copied, and their UIDs are told");
	t = select_mailbox(alice, "Archive/2026", true);
	selected_message(t, 2, &m);
	ok(m.flags == FLAG_FLAGGED && m.keywords == 1 && !strcmp(selected_keyword(t, 0), "work"),
		"they keep flags and keywords, whose places may be others");
	ok(str_eq(read_message(t, 2), STR("Return-Path: <bob@example.test>\nSubject: three\n\n3\n")), "and bytes");
	ok(!copy(alice, s, 3, 3, "Archive/2026", true) && got_text("3:3 3:3"), "one is moved");
	ok(sync_tells(s, true, "-2") && sync_tells(t, true, "=3"), "so it is here no more, but there");
	ok(!copy(alice, s, 77, 99, "Archive/2026", true) && got_text(""), "moving nothing moves nothing");
	ok(!copy(alice, t, 1, 1, "Archive/2026", true) && got_text("1:1 4:4") && sync_tells(t, true, "-1 =3"),
		"a message may be moved within its mailbox");
	selected_free(s);
	selected_free(t);
}

static void test_names(void)
{
	ok(!list(alice) && got_text("Archive(level)/ Archive/2026 Drafts INBOX"), "mailboxes are listed, and levels");
	ok(!create(alice, "Archive") && !subscribe(alice, "Archive", true) && !list(alice) &&
			got_text("Archive/* Archive/2026 Drafts INBOX"),
		"a level is made a mailbox, and subscribed");
	ok(create(alice, "a//b") == ERR_MISTAKE && create(alice, "inbox") == ERR_EXISTS, "not any name will do");
	ok(!rename_mailbox(alice, "Archive", "Old/Things") && !list(alice) &&
			got_text("Archive(level)* Drafts INBOX Old(level)/ Old/Things/ Old/Things/2026"),
		"renaming takes along what is below; a subscription is to the name and stays");
	ok(!subscribe(alice, "Archive", false) && !list(alice) &&
			got_text("Drafts INBOX Old(level)/ Old/Things/ Old/Things/2026"),
		"until it is given up");
	ok(!subscribe(alice, "to/come", true) && !subscribe(alice, "Inbox", true) && !list(alice) &&
			got_text("Drafts INBOX* Old(level)/ Old/Things/ Old/Things/2026 to(level) to/come(level)*"),
		"a name without a mailbox is subscribed to, and INBOX");
	ok(subscribe(alice, "a//b", true) == ERR_MISTAKE && !subscribe(alice, "to/come", false) &&
			!subscribe(alice, "INBOX", false) && !subscribe(alice, "nothing", false),
		"but no name that cannot be; giving up what was not there does no harm");
	ok(!status(alice, "Old/Things/2026") && got.status.messages == 3, "with its messages");
	ok(rename_mailbox(alice, "Drafts", "Old/Things") == ERR_EXISTS &&
			rename_mailbox(alice, "Drafts", "Drafts/x") == ERR_NEVER &&
			rename_mailbox(alice, "nothing", "x") == ERR_ABSENT,
		"but not onto another, not into itself, and not nothing");
	ok(!delete_mailbox(alice, "Old/Things") && !list(alice) &&
			got_text("Drafts INBOX Old(level)/ Old/Things(level)/ Old/Things/2026"),
		"deleting leaves what is below");
	ok(delete_mailbox(alice, "Old") == ERR_NEVER && delete_mailbox(alice, "INBOX") == ERR_NEVER &&
			delete_mailbox(alice, "x") == ERR_ABSENT,
		"a level, INBOX and what is not there are not deleted");
}

static void test_uidvalidity(void)
{
	uint32_t before;

	ok(!create(alice, "again") && !append(alice, "again", STR("a: b\r\n\r\n"), 0, NULL, 0), "a mailbox is made");
	before = got.uidvalidity;
	ok(!delete_mailbox(alice, "again") && status(alice, "again") == ERR_ABSENT, "deleted");
	ok(!create(alice, "again") && !status(alice, "again") && got.status.uidvalidity > before &&
			!got.status.messages,
		"and made again: another UIDVALIDITY");
	before = got.status.uidvalidity;
	ok(!rename_mailbox(alice, "again", "else") && !status(alice, "else") && got.status.uidvalidity == before,
		"a renamed one keeps it");
	ok(!create(alice, "again") && !status(alice, "again") && got.status.uidvalidity > before,
		"and its old name gets one of its own");
	ok(!delete_mailbox(alice, "again") && !delete_mailbox(alice, "else"), "both are deleted");
}

static void test_rename_inbox(void)
{
	struct selected *s = select_mailbox(alice, "INBOX", true);
	uint32_t uidvalidity = selected_uidvalidity(s);

	ok(!rename_mailbox(alice, "INBOX", "Saved") && !status(alice, "Saved") && got.status.messages == 1,
		"renaming INBOX moves its messages");
	ok(!status(alice, "INBOX") && !got.status.messages && got.status.uidvalidity == uidvalidity &&
			sync_tells(s, true, "-1"),
		"and leaves it empty");
	selected_free(s);
	ok(!delete_mailbox(alice, "Saved"), "the new one is as any other");
}

static void test_gone(void)
{
	struct selected *s;

	ok(!create(alice, "x") && !append(alice, "x", STR("a: b\r\n\r\n"), 0, NULL, 0), "a mailbox is made");
	s = select_mailbox(alice, "x", true);
	ok(!rename_mailbox(alice, "x", "y"), "renamed while it is selected");
	ok(sync_tells(s, true, "") && !change_flags(alice, s, 1, 1, FLAGS_ADD, FLAG_SEEN, NULL) &&
			sync_tells(s, true, "1:1"),
		"it stays selected");
	ok(str_eq(read_message(s, 1), STR("a: b\n\n")), "and its messages can be read");
	ok(!delete_mailbox(alice, "y"), "deleted while it is selected");
	ok(soon_tells(s, "-1") && change_flags(alice, s, 1, 1, FLAGS_ADD, FLAG_SEEN, NULL) == ERR_ABSENT,
		"nothing is in it any more");
	selected_free(s);
}

/* --- new generations ------------------------------------------------------------------------------------------------------ */

static uint64_t file_bytes(const char *path)
{
	struct stat st;

	return fstatat(store_fd, path, &st, 0) ? 0 : (uint64_t)st.st_size;
}

static void test_generation(void)
{
	static const char mbox[] = "domains/example.test/alice/big.mbox";
	struct selected *s, *old;
	struct buf wire = { 0 };
	uint64_t before;

	create(alice, "big");
	buf_add_str(&wire, STR("Subject: big\r\n\r\n"));
	for (unsigned i = 0; i < 1000; i++)
		buf_add_str(&wire, STR("a line of a message that is somewhat long\r\n"));
	for (unsigned i = 0; i < 6; i++)
		append(alice, "big", buf_str(&wire), i == 3 ? FLAG_FLAGGED : 0, i == 3 ? "kept" : NULL, 1000 + i);
	s = select_mailbox(alice, "big", true);
	old = select_mailbox(alice, "big", true);
	read_message(old, 1); /* has the old file open */
	before = file_bytes(mbox);
	change_flags(alice, s, 1, 3, FLAGS_ADD, FLAG_DELETED, NULL);
	ok(!expunge(alice, s) && sync_tells(s, true, "-3 -2 -1") && file_bytes(mbox) == before,
		"expunging leaves the file as it is");
	ok(!settle(ALICE) && file_bytes(mbox) && file_bytes(mbox) < before * 6 / 10,
		"settling writes it anew, shorter");
	ok(sync_tells(s, true, "") && selected_exists(s) == 3, "a session moves over to it without a word");
	ok(str_starts(read_message(s, 1), STR("Subject: big\n")), "and reads its messages");
	ok(!change_flags(alice, old, 4, 4, FLAGS_ADD, FLAG_SEEN, NULL) && sync_tells(old, false, "4:5"),
		"one that may not hear of expunges keeps its numbers, and hears of flags");
	ok(str_starts(read_message(old, 6), STR("Subject: big\n")), "it can read what is there");
	ok(str_starts(read_message(old, 1), STR("Subject: big\n")), "and, having the old file, what is gone");
	ok(sync_tells(old, true, "-3 -2 -1") && selected_exists(old) == 3, "until it may");
	ok(soon_tells(s, "1:5"), "both have moved over");
	ok(!append(alice, "big", STR("a: b\r\n\r\nc\r\n"), 0, NULL, 0) && got.uid == 7 && sync_tells(s, true, "=4") &&
			str_eq(read_message(s, 4), STR("a: b\n\nc\n")),
		"the new file grows as the old one did");
	selected_free(s);
	selected_free(old);
	change_flags(alice, s = select_mailbox(alice, "big", true), 4, 5, FLAGS_ADD, FLAG_DELETED, NULL);
	expunge(alice, s);
	selected_free(s);
	before = file_bytes(mbox);
	for (unsigned i = 0; i < 50 && file_bytes(mbox) == before; i++)
		turn_for(100);
	ok(file_bytes(mbox) < before / 2, "one that is mostly garbage and not selected is written anew by itself");
	buf_free(&wire);
}

/* --- what is left after a stop ------------------------------------------------------------------------------------------ */

/* All that a client could know of a mailbox, as text. */
static void describe(const char *mailbox, struct buf *out)
{
	struct selected *s = select_mailbox(alice, mailbox, false);

	buf_printf(out, "%s validity=%u next=%u\n", mailbox, selected_uidvalidity(s), selected_uidnext(s));
	for (uint32_t seq = 1; seq <= selected_exists(s); seq++) {
		struct message m;

		selected_message(s, seq, &m);
		buf_printf(out, "%u flags=%x clock=%llu date=%lld wire=%u header=%u", m.uid, m.flags,
			(unsigned long long)m.clock, (long long)m.date, m.wire, m.header);
		for (unsigned bit = 0; bit < 64; bit++)
			if (m.keywords >> bit & 1)
				buf_printf(out, " %s", selected_keyword(s, bit));
		read_message(s, seq);
		buf_printf(out, " %zu %llx\n", buf_len(&got.text), (unsigned long long)str_hash(buf_str(&got.text)));
	}
	selected_free(s);
}

static void describe_all(struct buf *out)
{
	struct buf names = { 0 };
	struct str left;

	list(alice);
	buf_add_str(&names, buf_str(&got.text));
	buf_add_str(out, buf_str(&names));
	buf_add_char(out, '\n');
	left = buf_str(&names);
	while (left.len) {
		ptrdiff_t space = str_find(left, ' ');
		struct str word = str_cut(left, 0, space < 0 ? left.len : (size_t)space);

		left = str_cut(left, space < 0 ? left.len : (size_t)space + 1, left.len);
		if (str_find(word, '(') < 0) {
			while (word.p[word.len - 1] == '*' || word.p[word.len - 1] == '/')
				word.len--;
			char *name = str_dup(word);

			describe(name, out);
			free(name);
		}
	}
	buf_free(&names);
}

static void index_remove(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/index", scratch_path);
	nftw(path, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static bool same(const struct buf *a, const struct buf *b)
{
	if (str_eq(buf_str(a), buf_str(b)))
		return true;
	printf("# --- before\n" STR_FMT "# --- after\n" STR_FMT, STR_ARG(buf_str(a)), STR_ARG(buf_str(b)));
	return false;
}

static void test_restart(void)
{
	struct buf before = { 0 }, after = { 0 };

	deliver(ALICE, "Subject: last\r\n\r\n");
	append(alice, "Drafts", STR("Subject: word\r\n\r\nx\r\n"), FLAG_ANSWERED, "work", 12345);
	describe_all(&before);
	stop();
	start(1);
	describe_all(&after);
	ok(same(&before, &after), "after a stop and a start all is as it was");
	stop();
	index_remove();
	start(1);
	buf_clear(&after);
	describe_all(&after);
	ok(same(&before, &after), "and without the index too");
	stop();
	start(1);
	buf_clear(&after);
	describe_all(&after);
	ok(same(&before, &after), "and with the index made from the files");
	ok(!deliver(ALICE, "Subject: more\r\n\r\n") && !status(alice, "INBOX") && got.status.messages == 2 &&
			got.status.uidnext == 6,
		"UIDs go on");
	buf_free(&before);
	buf_free(&after);
}

int main(void)
{
	log_set_levels("warn");
	test_begin(1);
	test_login();
	test_recipient();
	test_deliver();
	test_append();
	test_many();
	test_large();
	test_flags();
	test_copy();
	test_names();
	test_uidvalidity();
	test_rename_inbox();
	test_gone();
	test_generation();
	test_restart();
	account_free(alice);
	test_end();
	return done();
}
