/* What people read about settings is made from the rows: the sample is a configuration, whole and with its # removed. */
#include "conf/pages.h"
#include "conf/conf.h"
#include "t/conf_house.h"
#include "t/tap.h"

/* Removes the # before every setting and section that is commented out; "# " begins words for people. */
static void uncomment(struct buf *text)
{
	struct buf out = { 0 };
	bool fresh = true; /* only blanks so far on this line */

	for (size_t i = 0; i < buf_len(text); i++) {
		char c = buf_data(text)[i], after = i + 1 < buf_len(text) ? buf_data(text)[i + 1] : '\n';

		if (fresh && c == '#' && after != ' ' && after != '\n')
			continue;
		buf_add_char(&out, c);
		fresh = c == '\n' || (fresh && (c == '\t' || c == ' '));
	}
	buf_free(text);
	*text = out;
}

static void test_sample(void)
{
	struct buf sample = { 0 }, why = { 0 }, changes = { 0 };
	struct conf *c, *whole, *plain = conf_new(house.settings);
	const struct listen_conf *l;

	pages_sample(&sample);
	c = conf_parse(buf_str(&sample), "sample", &why);
	if (!ok(c != NULL, "the sample is a configuration"))
		printf("# " STR_FMT "\n", STR_ARG(buf_str(&why)));
	uncomment(&sample);
	whole = conf_parse(buf_str(&sample), "sample", &why);
	if (!ok(whole != NULL, "also with every setting uncommented"))
		printf("# " STR_FMT "\n", STR_ARG(buf_str(&why)));
	if (c && whole) {
		l = conf_find(c, &listen_settings, "imaps");
		ok(l && l->address.count == 2 && !strcmp(l->address.items[0], "0.0.0.0:993") &&
				!strcmp(l->address.items[1], "[::]:993"),
			"a service listens at its usual port");
		l = conf_find(c, &listen_settings, "lmtp");
		ok(l && !strcmp(l->address.items[0], "127.0.0.1:24"), "LMTP on this machine alone");
		ok(!conf_find(c, &listen_settings, "control"), "a local service has no address");
		ok(conf_find(whole, &domain_settings, "example.test") != NULL,
			"a titled section is shown by an example");
		conf_diff(plain, c, &changes);
		ok(buf_len(&changes) && !memmem(buf_data(&changes), buf_len(&changes), "imap.", 5),
			"but for listening all is at its default");
		buf_clear(&changes);
		conf_diff(c, whole, &changes);
		ok(str_eq(buf_str(&changes), STR("domain \"example.test\": added\n")),
			"and what is commented out are the defaults");
	}
	conf_unref(c);
	conf_unref(whole);
	conf_unref(plain);
	buf_free(&sample);
	buf_free(&why);
	buf_free(&changes);
}

static void test_settings(void)
{
	struct buf all = { 0 }, one = { 0 };

	ok(pages_settings(NULL, &all) && pages_settings("imap", &one) && buf_len(&one) < buf_len(&all),
		"all settings are told, or a section's");
	ok(memmem(buf_data(&one), buf_len(&one), "idle_timeout = 30m\n", 19) != NULL, "with default");
	ok(memmem(buf_data(&one), buf_len(&one), "Silence (a duration, from 30m to 24h).\n", 39) != NULL,
		"words and limits");
	buf_clear(&one);
	ok(pages_settings("", &one) && memmem(buf_data(&one), buf_len(&one), "; at a restart)", 15) != NULL,
		"and when they change at a restart");
	ok(!pages_settings("imop", &one), "an unknown section is not told");
	buf_free(&all);
	buf_free(&one);
}

static void test_manual(void)
{
	struct buf page = { 0 };
	bool clean = true;

	pages_manual(&page);
	for (size_t i = 1; i < buf_len(&page); i++)
		clean &= (unsigned char)buf_data(&page)[i] < 0x7f &&
		         !(buf_data(&page)[i - 1] == '\n' && buf_data(&page)[i] == '\n');
	ok(clean, "the manual's page is ASCII without empty lines, as roff wants it");
	ok(memmem(buf_data(&page), buf_len(&page), ".BR \"line_ends\" \" = strict\"", 27) != NULL, "and has every row");
	buf_free(&page);
}

int main(void)
{
	test_settings();
	test_sample();
	test_manual();
	return done();
}
