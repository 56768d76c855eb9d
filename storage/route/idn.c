/* idn.c - see idn.h. The tables are libidn2's, by the rules of today (IDNA 2008, RFC 5891). */
#include "storage/route/idn.h"
#include <idn2.h>

#define DOMAIN_BYTES_MAX 1024 /* of one in letters of its own, before it is made ASCII */

static bool is_done(struct str s, bool *ascii)
{
	bool done = true;

	*ascii = true;
	for (size_t i = 0; i < s.len; i++) {
		*ascii &= (unsigned char)s.p[i] < 0x80;
		done &= s.p[i] == ascii_lower(s.p[i]);
	}
	return done && *ascii;
}

static struct str lower(struct arena *a, struct str s)
{
	char *copy = arena_dup(a, s);

	for (size_t i = 0; i < s.len; i++)
		copy[i] = ascii_lower(copy[i]);
	return (struct str){ copy, s.len };
}

enum err idn_domain(struct arena *a, struct str domain, struct str *out)
{
	char *made = NULL;
	enum err e = OK;
	bool ascii;

	if (is_done(domain, &ascii)) {
		*out = domain;
	} else if (ascii) {
		*out = lower(a, domain);
	} else if (domain.len > DOMAIN_BYTES_MAX || str_find(domain, '\0') >= 0 ||
		   idn2_to_ascii_8z(arena_dup(a, domain), &made, IDN2_NONTRANSITIONAL) != IDN2_OK) {
		e = ERR_MISTAKE;
	} else {
		*out = arena_str(a, str_of(made));
		idn2_free(made);
	}
	return e;
}

enum err idn_address(struct arena *a, struct str address, struct str *out)
{
	ptrdiff_t at = str_rfind(address, '@');
	struct str domain;
	enum err e;
	bool ascii;

	if (at < 0)
		return ERR_MISTAKE;
	if (is_done(address, &ascii)) {
		*out = address;
		return OK;
	}
	if (!(e = idn_domain(a, str_cut(address, (size_t)at + 1, address.len), &domain)))
		*out = lower(a, str_of(arena_printf(a, "%.*s@" STR_FMT, (int)at, address.p, STR_ARG(domain))));
	return e;
}

struct str idn_sendable(struct arena *a, struct str address)
{
	size_t at = (size_t)(str_rfind(address, '@') + 1);
	struct str domain = str_cut(address, at, address.len), made;
	bool local_ascii, domain_ascii;

	is_done(str_cut(address, 0, at), &local_ascii);
	is_done(domain, &domain_ascii);
	if (domain_ascii || !local_ascii || idn_domain(a, domain, &made))
		return address;
	return str_of(arena_printf(a, STR_FMT STR_FMT, STR_ARG(str_cut(address, 0, at)), STR_ARG(made)));
}
