/* address.c - see address.h.
 * Lists: an entry is read word by word into `words` until a special character tells what the words were: a display name
 * before "<", a group's name before ":", a local part before "@". Wherever the grammar is broken, the rest of the
 * entry up to the next comma is skipped, so each byte is looked at a bounded number of times.
 * Paths: each piece of the grammar is a function of its name in RFC 5321, 4.1.2, that takes itself from the front of
 * the text or fails; the first failure is the whole path's. */
#include "storage/mail/address.h"
#include "storage/mail/token.h"
#include "storage/mail/utf8.h"
#include <arpa/inet.h>

#define LABEL_MAX 63 /* octets between two dots of a domain (RFC 1035, 2.3.4) */

struct reader {
	struct str left;
	struct arena *arena;
	struct address *first, **link;
	unsigned room; /* structs that may still be made */
	bool in_group;
	/* of the entry being read: */
	struct buf phrase; /* its words as a display name: parted by a space where they were apart */
	struct buf local;  /* the same words as a local part: no space around dots */
	struct buf host;
	struct buf comment; /* the last one */
};

static char peek(const struct reader *r) /* 0 at the end; a NUL in the text is never special either */
{
	return r->left.len ? r->left.p[0] : '\0';
}

static void skip(struct reader *r, size_t len)
{
	r->left = str_cut(r->left, len, r->left.len);
}

static bool ends_entry(char c)
{
	return c == ',' || c == ';';
}

static struct str kept(struct reader *r, const struct buf *b)
{
	return arena_str(r->arena, buf_str(b));
}

static struct address *add(struct reader *r, enum address_kind kind)
{
	struct address *address = arena_new(r->arena, struct address);

	address->kind = kind;
	*r->link = address;
	r->link = &address->next;
	if (r->room)
		r->room--;
	return address;
}

static void end_group(struct reader *r)
{
	if (r->in_group)
		add(r, ADDRESS_GROUP_END);
	r->in_group = false;
}

static bool ends_atom(char c)
{
	return !token_is_alpha(c) && (token_is_space(c) || memchr("(\".<>@,:;", c, 9));
}

/* A run of characters that are neither space nor special in any place; generous, so never empty. */
static struct str take_atom(struct reader *r)
{
	size_t len = 1;
	struct str atom;

	while (len < r->left.len && !ends_atom(r->left.p[len]))
		len++;
	atom = str_cut(r->left, 0, len);
	skip(r, len);
	return atom;
}

static bool ends_words(const struct reader *r, bool in_angle)
{
	char c = peek(r);

	return !r->left.len || c == '@' || c == '<' || ends_entry(c) || (in_angle ? c == '>' : c == ':');
}

/* Words and dots: a phrase (RFC 5322, 3.2.5 and 4.1) or a local part (3.4.1 and 4.4); which, the next character says. */
static void take_words(struct reader *r, bool in_angle)
{
	bool joins = true; /* the next word belongs to the local part's last: a dot stood between, or it is the first */

	for (;;) {
		bool apart = token_space(&r->left, &r->comment);

		if (ends_words(r, in_angle))
			return;
		if (apart && buf_len(&r->phrase))
			buf_add_char(&r->phrase, ' ');
		if (peek(r) == '.') {
			buf_add_char(&r->phrase, '.');
			buf_add_char(&r->local, '.');
			skip(r, 1);
			joins = true;
			continue;
		}
		if (!joins && apart)
			buf_add_char(&r->local, ' ');
		joins = false;
		if (peek(r) == '"') {
			struct str from = r->left;

			token_quoted(&r->left, &r->phrase);
			token_quoted(&from, &r->local);
		} else {
			struct str atom = take_atom(r);

			token_add(&r->phrase, atom);
			token_add(&r->local, atom);
		}
	}
}

/* "[...]", as it stands, without folding (RFC 5322, 3.4.1). */
static void take_literal(struct reader *r)
{
	ptrdiff_t end = str_find(r->left, ']');
	size_t len = end < 0 ? r->left.len : (size_t)end + 1;

	token_add(&r->host, str_cut(r->left, 0, len));
	skip(r, len);
}

/* The domain behind "@". A second "@" makes all before it part of the local part: the last one is what counts. */
static void take_domain(struct reader *r)
{
	bool joins = true;

	for (;;) {
		bool apart = token_space(&r->left, &r->comment);
		char c = peek(r);

		if (!r->left.len || c == '>' || c == '<' || c == ':' || ends_entry(c))
			return;
		if (c == '@') {
			buf_add_char(&r->local, '@');
			buf_add_str(&r->local, buf_str(&r->host));
			buf_clear(&r->host);
			skip(r, 1);
			joins = true;
		} else if (c == '.') {
			buf_add_char(&r->host, '.');
			skip(r, 1);
			joins = true;
		} else if (apart && !joins) {
			return; /* words behind a domain are not of it */
		} else {
			if (c == '[')
				take_literal(r);
			else
				token_add(&r->host, take_atom(r));
			joins = false;
		}
	}
}

/* "@one,@two:" before an address in angle brackets (RFC 5322, 4.4). */
static struct str take_route(struct reader *r)
{
	struct str whole = r->left;
	size_t len = 0;
	struct buf route = { 0 };
	struct str copy;

	while (len < whole.len && whole.p[len] != ':' && whole.p[len] != '>' && whole.p[len] != '<')
		len++;
	if (len == whole.len || whole.p[len] != ':')
		return STR_NONE;
	for (size_t i = 0; i < len; i++)
		if (!token_is_space(whole.p[i]) && whole.p[i] != '\0')
			buf_add_char(&route, whole.p[i]);
	copy = kept(r, &route);
	buf_free(&route);
	skip(r, len + 1);
	return copy;
}

/* To the end of the entry; a comment on the way may still be a name. True if a "<" came first. */
static bool skip_entry(struct reader *r, bool stop_at_angle)
{
	for (;;) {
		token_space(&r->left, &r->comment);
		if (!r->left.len || ends_entry(peek(r)))
			return false;
		if (peek(r) == '<' && stop_at_angle)
			return true;
		if (peek(r) == '"')
			token_quoted(&r->left, NULL);
		else
			skip(r, 1);
	}
}

static void add_mailbox(struct reader *r, struct str name, struct str route)
{
	struct address *address;

	if (!name.len && !route.len && !buf_len(&r->local) && !buf_len(&r->host))
		return; /* nothing in it: "<>" or a comma too many */
	address = add(r, ADDRESS_MAILBOX);
	address->local = kept(r, &r->local);
	address->host = kept(r, &r->host);
	address->route = route.len ? route : STR_NONE;
	if (!name.len && buf_len(&r->comment))
		name = arena_str(r->arena, str_trim(buf_str(&r->comment)));
	address->name = name.len ? name : STR_NONE;
}

/* "<...>" with the display name before it already known. */
static void read_angle(struct reader *r, struct str name)
{
	struct str route = STR_NONE;

	skip(r, 1);
	buf_clear(&r->phrase);
	buf_clear(&r->local);
	buf_clear(&r->host);
	token_space(&r->left, NULL);
	if (peek(r) == '@')
		route = take_route(r);
	take_words(r, true);
	if (peek(r) == '@') {
		skip(r, 1);
		take_domain(r);
	}
	skip_entry(r, false);
	add_mailbox(r, name, route);
}

/* One entry of the list, or what stands between entries. */
static void read_entry(struct reader *r)
{
	const char *start = r->left.p;

	buf_clear(&r->phrase);
	buf_clear(&r->local);
	buf_clear(&r->host);
	buf_clear(&r->comment);
	take_words(r, false);
	if (peek(r) == '<') {
		read_angle(r, kept(r, &r->phrase));
	} else if (peek(r) == ':') {
		skip(r, 1);
		end_group(r);
		if (!buf_len(&r->phrase) || !r->room)
			return;
		add(r, ADDRESS_GROUP)->local = kept(r, &r->phrase);
		r->in_group = true;
	} else if (peek(r) == '@') {
		skip(r, 1);
		take_domain(r);
		if (skip_entry(r, true)) { /* somebody@work <somebody@home.test> */
			buf_clear(&r->phrase);
			token_add(&r->phrase, str_trim((struct str){ start, (size_t)(r->left.p - start) }));
			read_angle(r, kept(r, &r->phrase));
		} else {
			add_mailbox(r, STR_NONE, STR_NONE);
		}
	} else {
		add_mailbox(r, STR_NONE, STR_NONE);
	}
}

struct address *address_list(struct arena *a, struct str value, unsigned max)
{
	struct reader r = { .left = value, .arena = a, .room = max };

	r.link = &r.first;
	while (r.left.len && r.room) {
		read_entry(&r);
		if (peek(&r) == ';')
			end_group(&r);
		if (r.left.len && ends_entry(peek(&r)))
			skip(&r, 1);
	}
	end_group(&r);
	buf_free(&r.phrase);
	buf_free(&r.local);
	buf_free(&r.host);
	buf_free(&r.comment);
	return r.first;
}

/* ---- paths ---- */

static bool is_atext(char c) /* RFC 5322, 3.2.3 */
{
	return token_is_alpha(c) || token_is_digit(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* Bytes of the character beyond ASCII at the front of s, if those are allowed and it is one; else 0 (RFC 6531, 3.3). */
static size_t utf8_letter(struct str s, unsigned allow)
{
	size_t size = allow & ADDRESS_UTF8 ? utf8_size(s) : 0;

	return size > 1 ? size : 0;
}

static bool take(struct str *left, char c)
{
	if (!left->len || left->p[0] != c)
		return false;
	*left = str_cut(*left, 1, left->len);
	return true;
}

/* Dot-string = Atom *("." Atom) */
static bool dot_string(struct str *left, unsigned allow, struct buf *out)
{
	do {
		size_t size, len = 0;

		if (buf_len(out))
			buf_add_char(out, '.');
		while (len < left->len) {
			size = is_atext(left->p[len]) ? 1 : utf8_letter(str_cut(*left, len, left->len), allow);
			if (!size)
				break;
			len += size;
		}
		if (!len)
			return false;
		buf_add(out, left->p, len);
		*left = str_cut(*left, len, left->len);
	} while (take(left, '.'));
	return true;
}

/* Quoted-string = DQUOTE *QcontentSMTP DQUOTE; what it means goes to `out`. */
static bool quoted_string(struct str *left, unsigned allow, struct buf *out)
{
	if (!take(left, '"'))
		return false;
	while (!take(left, '"')) {
		size_t size = utf8_letter(*left, allow);

		if (!size && take(left, '\\') && left->len && utf8_letter(*left, allow))
			return false; /* only ASCII can be quoted by a backslash */
		if (!size && left->len && left->p[0] >= ' ' && left->p[0] <= '~')
			size = 1;
		if (!size)
			return false;
		buf_add(out, left->p, size);
		*left = str_cut(*left, size, left->len);
	}
	return true;
}

/* What a local part means, as it is written canonically: in quotes only if it is no Dot-string. */
static struct str written_local(struct arena *a, struct str meaning, unsigned allow)
{
	struct buf out = { 0 };
	struct str rest = meaning, copy;

	if (!dot_string(&rest, allow, &out) || rest.len) {
		buf_clear(&out);
		buf_add_char(&out, '"');
		for (size_t i = 0; i < meaning.len; i++) {
			if (meaning.p[i] == '"' || meaning.p[i] == '\\')
				buf_add_char(&out, '\\');
			buf_add_char(&out, meaning.p[i]);
		}
		buf_add_char(&out, '"');
	}
	copy = arena_str(a, buf_str(&out));
	buf_free(&out);
	return copy;
}

static enum err local_part(struct arena *a, struct str *left, unsigned allow, struct str *out)
{
	struct buf meaning = { 0 };
	bool quoted = left->len && left->p[0] == '"';
	bool good = quoted ? quoted_string(left, allow, &meaning) : dot_string(left, allow, &meaning);

	if (good)
		*out = written_local(a, buf_str(&meaning), allow);
	buf_free(&meaning);
	if (!good)
		return ERR_MISTAKE;
	return out->len > ADDRESS_LOCAL_MAX ? ERR_TOO_BIG : OK;
}

static struct str lower(struct arena *a, struct str s)
{
	char *copy = arena_dup(a, s);

	for (size_t i = 0; i < s.len; i++)
		copy[i] = ascii_lower(copy[i]);
	return (struct str){ copy, s.len };
}

/* sub-domain = Let-dig [Ldh-str] */
static bool sub_domain(struct str *left, unsigned allow)
{
	size_t len = 0, size;

	while (len < left->len) {
		char c = left->p[len];

		size = token_is_alpha(c) || token_is_digit(c) || c == '-'
		               ? 1
		               : utf8_letter(str_cut(*left, len, left->len), allow);
		if (!size)
			break;
		len += size;
	}
	if (!len || len > LABEL_MAX || left->p[0] == '-' || left->p[len - 1] == '-')
		return false;
	*left = str_cut(*left, len, left->len);
	return true;
}

/* Domain = sub-domain *("." sub-domain) */
static enum err domain(struct arena *a, struct str *left, unsigned allow, struct str *out)
{
	struct str whole = *left;

	do {
		if (!sub_domain(left, allow))
			return ERR_MISTAKE;
	} while (take(left, '.'));
	whole.len -= left->len;
	if (whole.len > ADDRESS_DOMAIN_MAX)
		return ERR_TOO_BIG;
	*out = lower(a, whole);
	return OK;
}

/* address-literal = "[" ( IPv4-address-literal / IPv6-address-literal ) "]" ; no other kind was ever defined */
static enum err address_literal(struct arena *a, struct str *left, struct str *out)
{
	ptrdiff_t end = str_find(*left, ']');
	unsigned char bytes[sizeof(struct in6_addr)];
	char text[INET6_ADDRSTRLEN];
	struct str inside;
	bool v6;

	if (!take(left, '[') || end < 0)
		return ERR_MISTAKE;
	inside = str_cut(*left, 0, (size_t)end - 1);
	*left = str_cut(*left, (size_t)end, left->len);
	v6 = str_starts_nocase(inside, STR("IPv6:"));
	if (v6)
		inside = str_cut(inside, 5, inside.len);
	if (inside.len >= sizeof(text) || str_find(inside, '\0') >= 0)
		return ERR_MISTAKE;
	if (inet_pton(v6 ? AF_INET6 : AF_INET, arena_dup(a, inside), bytes) != 1)
		return ERR_MISTAKE;
	inet_ntop(v6 ? AF_INET6 : AF_INET, bytes, text, sizeof(text));
	*out = str_of(arena_printf(a, "[%s%s]", v6 ? "IPv6:" : "", text));
	return OK;
}

static enum err domain_or_literal(struct arena *a, struct str *left, unsigned allow, struct str *out)
{
	return left->len && left->p[0] == '[' ? address_literal(a, left, out) : domain(a, left, allow, out);
}

/* Mailbox = Local-part "@" ( Domain / address-literal ) */
static enum err mailbox(struct arena *a, struct str *left, unsigned allow, struct address_path *path)
{
	enum err e = local_part(a, left, allow, &path->local);

	if (!e && !take(left, '@'))
		e = ERR_MISTAKE;
	if (!e)
		e = domain_or_literal(a, left, allow, &path->domain);
	if (!e && path->local.len + 1 + path->domain.len > ADDRESS_MAX)
		e = ERR_TOO_BIG;
	return e;
}

/* A-d-l ":" , which is read past (RFC 5321, 4.1.1.3 and appendix C) */
static enum err source_route(struct arena *a, struct str *left, unsigned allow)
{
	struct str ignored;

	do {
		enum err e = take(left, '@') ? domain(a, left, allow, &ignored) : ERR_MISTAKE;

		if (e)
			return e;
	} while (take(left, ','));
	return take(left, ':') ? OK : ERR_MISTAKE;
}

enum err address_path(struct arena *a, struct str *left, unsigned allow, struct address_path *path)
{
	enum err e = OK;

	*path = (struct address_path){ STR(""), STR("") };
	if (!take(left, '<'))
		return ERR_MISTAKE;
	if (allow & ADDRESS_NULL && take(left, '>'))
		return OK;
	if (allow & ADDRESS_BARE && str_starts_nocase(*left, STR("postmaster>"))) {
		path->local = lower(a, str_cut(*left, 0, 10));
		*left = str_cut(*left, 11, left->len);
		return OK;
	}
	if (left->len && left->p[0] == '@')
		e = source_route(a, left, allow);
	if (!e)
		e = mailbox(a, left, allow, path);
	if (!e && !take(left, '>'))
		e = ERR_MISTAKE;
	return e;
}

enum err address_mailbox(struct arena *a, struct str text, unsigned allow, struct address_path *path)
{
	enum err e = mailbox(a, &text, allow, path);

	return !e && text.len ? ERR_MISTAKE : e;
}

enum err address_domain(struct arena *a, struct str text, unsigned allow, struct str *name)
{
	enum err e = domain_or_literal(a, &text, allow, name);

	return !e && text.len ? ERR_MISTAKE : e;
}

struct str address_text(struct arena *a, const struct address_path *path)
{
	if (!path->domain.len)
		return arena_str(a, path->local);
	return str_of(arena_printf(a, STR_FMT "@" STR_FMT, STR_ARG(path->local), STR_ARG(path->domain)));
}

struct str address_canonical(struct arena *a, const struct address_path *path)
{
	return lower(a, address_text(a, path));
}
