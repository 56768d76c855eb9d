/* What is said of mailbox names: kept, printed and read. */
#include "storage/account/labels.h"
#include "t/tap.h"

static bool prints(const struct labels *l, const char *text)
{
	struct buf out = { 0 };
	bool same;

	labels_print(l, 7, &out);
	same = str_eq(buf_str(&out), str_of(text));
	if (!same)
		printf("# %.*s\n", (int)buf_len(&out), buf_data(&out));
	buf_free(&out);
	return same;
}

static void test_words(void)
{
	unsigned all = 0;

	for (unsigned use = 1; use < 1u << USES; use <<= 1)
		all |= use_of(str_of(use_word(use)));
	ok(all == (1u << USES) - 1 && use_of(STR("sENT")) == USE_SENT && !use_of(STR("All")) && !use_of(STR_NONE),
		"each use has a word, in any case");
}

static void test_list(void)
{
	struct labels l = { 0 }, copy;

	ok(prints(&l, "version 1\nuidvalidity 7\n"), "at first nothing is said");
	for (unsigned i = 0; i < 100; i++) {
		char name[] = { 'm', (char)('0' + i / 10), (char)('0' + i % 10) };

		labels_subscribe(&l, (struct str){ name, 3 }, true);
	}
	ok(l.count == 100 && labels_find(&l, STR("m42"))->subscribed && !labels_find(&l, STR("m4")), "names are found");
	labels_use(&l, STR("m42"), USE_SENT | USE_TRASH);
	copy = labels_copy(&l);
	for (unsigned i = 0; i < 100; i++)
		labels_subscribe(&copy, str_of(copy.list[i > 42].name), false);
	ok(prints(&copy, "version 1\nuidvalidity 7\nuse Sent,Trash m42\n") && l.count == 100 &&
			labels_find(&l, STR("m42"))->subscribed,
		"a copy changes alone, and a name of which nothing is said is not in it");
	labels_use(&copy, STR("m42"), 0);
	labels_use(&copy, STR("m43"), 0);
	labels_subscribe(&copy, STR("m43"), false);
	ok(!copy.count, "taking away what is not there does no harm");
	labels_free(&copy);
	labels_free(&l);
	labels_free(&l);
}

static void test_text(void)
{
	static const char text[] =
		"uidvalidity 7\nmade\nsubscribed  two  words\nsubscribed INBOX\nuse Sent a\nsubscribed b/c\n"
		"use Archive,Junk b/c\n";
	struct labels l = { 0 };
	uint32_t uidvalidity = 5;

	labels_read(&l, STR(text), &uidvalidity);
	ok(uidvalidity == 7 && l.made &&
			prints(&l, "version 1\nuidvalidity 7\nmade\nsubscribed  two  words\nsubscribed INBOX\n"
				   "use Sent a\nsubscribed b/c\nuse Archive,Junk b/c\n"),
		"what is printed is read");
	labels_free(&l);
	ok(!labels_read(&l,
		   STR("uidvalidity 6\nuidvalidity x\nsubscribed a//b\nsubscribed \nuse Sent\nuse Sent \n"
		       "use x y\nannotation a b\n\nsubscribed torn"),
		   &uidvalidity) &&
			uidvalidity == 7 && l.count == 1,
		"a line that is not understood costs itself");
	ok(prints(&l, "version 1\nuidvalidity 7\nsubscribed torn\nuidvalidity x\nsubscribed a//b\nsubscribed \n"
		      "use Sent\nuse Sent \nuse x y\nannotation a b\n"),
		"and stays as it is");
	ok(labels_read(&l, STR("version 2\n"), &uidvalidity) == ERR_NEVER, "a later version is refused");
	labels_free(&l);
}

int main(void)
{
	test_words();
	test_list();
	test_text();
	return done();
}
