/* alias_program.c - see alias_program.h. */
#include "storage/route/alias_program.h"
#include "storage/route/aliases.h"

struct str alias_program_address(struct arena *a, struct str name, struct str domain, struct str command)
{
	return str_of(arena_printf(a, STR_FMT "@" STR_FMT "|%016llx", STR_ARG(name), STR_ARG(domain),
		(unsigned long long)str_hash(command)));
}

/* Where the mark begins; -1: it is an address. Quotes may hold a |, a domain may not. */
static ptrdiff_t mark_at(struct str address)
{
	ptrdiff_t bar = str_rfind(address, '|');

	return bar > str_rfind(address, '@') ? bar : -1;
}

bool alias_program_is(struct str address)
{
	return mark_at(address) >= 0;
}

struct str alias_program_name(struct str address)
{
	ptrdiff_t bar = mark_at(address);

	return bar < 0 ? address : str_cut(address, 0, (size_t)bar);
}

bool alias_program_may(const struct domain_conf *conf, const struct alias_target *t)
{
	return t->kind == ALIAS_PROGRAM &&
	       conf->aliases_programs >= (t->included ? ALIAS_PROGRAMS_ALL : ALIAS_PROGRAMS_FILES);
}

enum err alias_program_find(struct worker *w, struct str address, struct str *command)
{
	struct str name = alias_program_name(address);
	size_t at = (size_t)str_rfind(name, '@');
	const struct domain_conf *conf = domain_find(w->conf, str_cut(name, at + 1, name.len));
	uint64_t mark;
	const struct alias *alias;
	enum err e = aliases_find(w, &conf->aliases_files, str_cut(name, 0, at), &alias);

	if (e || !str_hex(str_cut(address, name.len + 1, address.len), &mark))
		return e ? e : ERR_ABSENT;
	for (size_t i = 0; i < alias->count; i++)
		if (alias_program_may(conf, &alias->targets[i]) && str_hash(alias->targets[i].text) == mark) {
			*command = alias->targets[i].text;
			return OK;
		}
	return ERR_ABSENT;
}
