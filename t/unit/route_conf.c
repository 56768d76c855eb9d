/* What a domain and the table of rewriting may be told in the configuration, and what is told of mistakes. */
#include "storage/route/domain.h"
#include "storage/route/rewrite.h"
#include "t/tap.h"
#include <stdlib.h>

static const struct settings *const tables[] = { &domain_settings, &rewrite_settings, NULL };

static const struct {
	const char *section, *title, *name, *value;
	const char *told; /* NULL: it is right */
} values[] = {
	{ "domain", "example.test", "aliases", "example.org", NULL },
	{ "domain", "example.test", "aliases",
		"b\xc3\xbc"
		"cher.test",
		NULL },
	{ "domain", "example.test", "aliases", "no domain", "aliases: \"no domain\" is not a domain name" },
	{ "domain", "example.test", "aliases", "a..test", "is not a domain name" },
	{ "domain", "*", "aliases", "example.org", "they are of one domain" },
	{ "domain", "*", "unknown", "discard", NULL },
	{ "domain", "Example.test", "unknown", "reject", "not a domain name in lower case" },
	{ "domain",
		"b\xc3\xbc"
		"cher.test",
		"unknown", "reject", "its xn-- form" },
	{ "domain", "xn--bcher-kva.test", "unknown", "reject", NULL },
	{ "domain", "example.test", "unknown", "alice@example.test", NULL },
	{ "domain", "example.test", "unknown", "*@old.test", NULL },
	{ "domain", "example.test", "unknown", "was-*@old.test", NULL },
	{ "domain", "example.test", "unknown", "bounce", "\"bounce\" is not reject, discard or an address" },
	{ "domain", "example.test", "unknown", "*@*", "is not reject" },
	{ "domain", "example.test", "unknown", "*@.old.test", "is not reject" },
	{ "domain", "example.test", "unknown", "", "is not reject" },
	{ "domain", "example.test", "postmaster", "alice@example.test", NULL },
	{ "domain", "example.test", "postmaster", "*@example.test",
		"postmaster: \"*@example.test\" is not an address" },
	{ "domain", "example.test", "postmaster", "alice", "is not an address" },
	{ "domain", "example.test", "detail", "", NULL },
	{ "domain", "example.test", "detail", "+-=#", NULL },
	{ "domain", "example.test", "detail", "+-=#~", "detail: up to 4 of" },
	{ "domain", "example.test", "detail", "a", "detail: up to 4 of" },
	{ "domain", "example.test", "senders", "alice@example.test as *@example.org", NULL },
	{ "domain", "example.test", "senders", "alice@example.test is bob@example.org", "senders: " },
	{ "domain", "example.test", "senders", "alice@example.test", "senders: " },
	{ "domain", "example.test", "senders", "alice@example.test as b@c.test too", "senders: " },
	{ "domain", "example.test", "masquerade", ".example.test", NULL },
	{ "domain", "example.test", "masquerade", "..test", "masquerade: " },
	{ "rewrite", "x", "from", "nothing", "from: \"nothing\" is not a pattern" },
	{ "rewrite", "x", "to", "*@*", "to: \"*@*\" is not an address" },
	{ "rewrite", "x", "from", "alice@example.test", "there is no * in from" },
};

int main(void)
{
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		struct conf *c = conf_new(tables);
		struct buf why = { 0 };
		bool good;

		conf_add_title(c, values[i].section, values[i].title, &why);
		if (!strcmp(values[i].section, "rewrite")) {
			conf_set(c, "rewrite", "x", "from", "sales-*@example.test", &why);
			conf_set(c, "rewrite", "x", "to", "*@crm.test", &why);
		}
		good = conf_set(c, values[i].section, values[i].title, values[i].name, values[i].value, &why) &&
		       conf_check(c, &why);
		buf_add_char(&why, '\0');
		ok(values[i].told ? !good && strstr(buf_data(&why), values[i].told) : good, "%s = \"%s\"%s %s",
			values[i].name, values[i].value, values[i].told ? ":" : "",
			values[i].told ? values[i].told : "");
		if (!values[i].told != good)
			printf("# told: %s", buf_data(&why));
		buf_free(&why);
		conf_unref(c);
	}
	return done();
}
