/* A mailbox file: what a message is given when it is written, and how it is found again. */
#include "storage/mailbox/mbox.h"
#include "t/tap.h"

static const struct keywords words = { 3, { "$Forwarded", "work", "play" } };

static const struct {
	const char *what, *sender;
	struct message m;
	bool first;
	const char *prefix;
} prefixes[] = {
	{ "a new message", "alice@example.test", { .uid = 7, .clock = 0x1a2b, .date = 1795412443 }, false,
		"From alice@example.test Mon Nov 23 05:40:43 2026\nX-UID: 7\nX-Postern: clock=1a2b\n" },
	{ "one with every flag and two keywords", "bob@x",
		{ .uid = 4294967295, .flags = FLAG_SYSTEM, .keywords = 5, .clock = UINT64_MAX, .date = 0 }, false,
		"From bob@x Thu Jan  1 00:00:00 1970\nX-UID: 4294967295\nStatus: RO\nX-Status: AFTD\n"
		"X-Keywords: $Forwarded play\nX-Postern: clock=ffffffffffffffff\n" },
	{ "the first of a file", "", { .uid = 1, .flags = FLAG_SEEN, .clock = 1, .date = 951782399 }, true,
		"From MAILER-DAEMON Mon Feb 28 23:59:59 2000\nX-IMAPbase: 1795412443 0000000007 $Forwarded work play\n"
		"X-UID: 1\nStatus: RO\nX-Postern: clock=1 id=ab generation=3 version=1\n" },
	{ "a sender of odd bytes", "a b\n\xc3\xbc@x\x7f", { .uid = 1 }, false,
		"From a_b___@x_ Thu Jan  1 00:00:00 1970\nX-UID: 1\nX-Postern: clock=0\n" },
};

static const struct mbox_base base = { 1795412443, 7, 0xab, 3, 0, 0 };

static void test_prefix(void)
{
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		struct message m = prefixes[i].m;
		struct buf out = { 0 };

		mbox_prefix(&out, &m, str_of(prefixes[i].sender), &words, prefixes[i].first ? &base : NULL);
		m.prefix = (uint32_t)buf_len(&out);
		ok(str_eq(buf_str(&out), str_of(prefixes[i].prefix)), "%s", prefixes[i].what);
		ok(mbox_is_message(buf_str(&out), &m), "and it is known again");
		m.uid ^= 1;
		ok(!mbox_is_message(buf_str(&out), &m), "but not as another");
		buf_free(&out);
	}
}

static void test_is_message(void)
{
	struct str head = STR("From a Mon Nov 23 05:40:43 2026\nX-UID: 7\nX-Postern: clock=1\nSubject: x\n");
	struct message m = { .uid = 7, .prefix = 60 };

	ok(mbox_is_message(head, &m), "a head may be longer than the prefix");
	ok(!mbox_is_message(str_cut(head, 0, 59), &m), "but not shorter");
	m.prefix = 71;
	ok(!mbox_is_message(head, &m), "what is no field of ours is not of the prefix");
	m.prefix = 61;
	ok(!mbox_is_message(head, &m), "nor is a part of it");
	m.prefix = 60;
	ok(!mbox_is_message(str_cut(head, 1, head.len), &m), "it begins with a postmark");
	m.prefix = 32;
	ok(mbox_is_message(head, &m), "a postmark alone is enough for a foreign message");
	m.prefix = 31;
	ok(!mbox_is_message(head, &m), "if it is whole");
	m.prefix = 0;
	ok(!mbox_is_message(head, &m), "nothing is not");
}

static const struct {
	const char *line, *sender; /* NULL: no postmark */
	int64_t date;
} postmarks[] = {
	{ "From a@b Mon Nov 23 05:40:43 2026", "a@b", 1795412443 },
	{ "From a@b  Mon Nov 23 05:40:43 2026\r", "a@b", 1795412443 },
	{ "From a@b Thu Jan  1 00:00:00 1970", "a@b", 0 },
	{ "From a@b Mon Nov 23 05:40:43 UTC 2026", "a@b", 1795412443 },
	{ "From a@b Mon Nov 23 06:40:43 2026 +0100", "a@b", 1795412443 },
	{ "From a@b Mon Nov 23 05:40 2026", "a@b", 1795412400 },
	{ "From a!b Mon Nov 23 05:40:43 2026 remote from c", "a!b", 1795412443 },
	{ "From A. B. See Mon Nov 23 05:40:43 2026", "A. B. See", 1795412443 },
	{ "From Mon Mon Nov 23 05:40:43 2026", "Mon", 1795412443 },
	{ "From Mon Nov 23 05:40:43 2026", "", 1795412443 },
	{ "From  Mon Nov 23 05:40:43 2026", "", 1795412443 },
	{ "From a", NULL, 0 },
	{ "From ", NULL, 0 },
	{ "From a@b Mon Nov 23", NULL, 0 },
	{ "From a@b Mon Feb 30 05:40:43 2026", NULL, 0 },
	{ "From what I hear on Mon he comes", NULL, 0 },
	{ "from a@b Mon Nov 23 05:40:43 2026", NULL, 0 },
	{ ">From a@b Mon Nov 23 05:40:43 2026", NULL, 0 },
};

static void test_postmark(void)
{
	for (size_t i = 0; i < sizeof(postmarks) / sizeof(postmarks[0]); i++) {
		struct str sender;
		int64_t date;
		bool is = mbox_postmark(str_of(postmarks[i].line), &sender, &date);

		if (postmarks[i].sender)
			ok(is && str_eq(sender, str_of(postmarks[i].sender)) && date == postmarks[i].date,
				"'%s' is from '%s'", postmarks[i].line, postmarks[i].sender);
		else
			ok(!is, "'%s' is no postmark", postmarks[i].line);
	}
}

int main(void)
{
	test_prefix();
	test_is_message();
	test_postmark();
	return done();
}
