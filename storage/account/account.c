/* account.c - account.settings: the text and what it says. */
#include "storage/account/account.h"
#include "core/log.h"
#include "storage/account/members.h"
#include "storage/mail/address.h"
#include "storage/route/idn.h"

#define VERSION           1
#define SETTINGS_LINE_MAX 4096
#define COPY_EXTRA        (5 * 16) /* of five texts in an arena: a NUL each, and what aligns the next */

static const char *const kinds[] = { "account", "alias", "forwarder", "group" };

struct line {
	struct str name, value;
};

struct parse {
	struct account_settings *s;
	struct arena *arena;
	struct buf to, rest;
};

const char *account_kind_word(enum account_kind kind)
{
	return kinds[kind];
}

/* `name = value`; false: it is not. */
static bool line_parse(struct str text, struct line *l)
{
	ptrdiff_t equals = str_find(text, '=');

	if (equals < 1 || text.len > SETTINGS_LINE_MAX)
		return false;
	l->name = str_trim(str_cut(text, 0, (size_t)equals));
	l->value = str_trim(str_cut(text, (size_t)equals + 1, text.len));
	return l->name.len > 0;
}

static enum err version_take(struct str value)
{
	uint32_t version;

	if (str_u32(value, &version) && version <= VERSION)
		return OK;
	log_error("store", NULL, "account settings of version " STR_FMT ", we know %d: a newer program is needed",
		STR_ARG(value), VERSION);
	return ERR_NEVER;
}

static enum err kind_take(struct str value, enum account_kind *kind)
{
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (str_eq(value, str_of(kinds[i]))) {
			*kind = (enum account_kind)i;
			return OK;
		}
	log_error("store", NULL, "account settings of an unknown kind: " STR_FMT, STR_ARG(value));
	return ERR_NEVER;
}

static enum err to_take(struct str value, struct buf *to)
{
	enum err e = members_parse(value, to);

	if (e)
		log_error("store", NULL, "account settings: %s: " STR_FMT,
			e == ERR_TOO_BIG ? "too many addresses" : "not a list of addresses", STR_ARG(value));
	return e ? ERR_NEVER : OK;
}

static enum err limit_take(struct str value, uint64_t *limit)
{
	if (str_eq(value, STR("none"))) {
		*limit = QUOTA_NONE;
		return OK;
	}
	if (str_u64(value, limit) && *limit)
		return OK;
	log_error("store", NULL, "account settings: a quota is none, or a number of bytes or messages: " STR_FMT,
		STR_ARG(value));
	return ERR_NEVER;
}

static void limit_print(const char *name, uint64_t limit, struct buf *out)
{
	if (limit == QUOTA_NONE)
		buf_printf(out, "%s = none\n", name);
	else if (limit)
		buf_printf(out, "%s = %llu\n", name, (unsigned long long)limit);
}

void account_quota_print(const struct account_settings *s, struct buf *out)
{
	limit_print("quota", s->quota.bytes, out);
	limit_print("quota_messages", s->quota.messages, out);
}

static void rest_take(struct str line, struct buf *rest)
{
	buf_add_str(rest, line);
	buf_add_char(rest, '\n');
}

static enum err line_take(const struct line *l, struct str text, struct parse *p)
{
	struct account_settings *s = p->s;

	if (str_eq(l->name, STR("version")))
		return version_take(l->value);
	if (str_eq(l->name, STR("kind")))
		return kind_take(l->value, &s->kind);
	if (str_eq(l->name, STR("to")))
		return to_take(l->value, &p->to);
	if (str_eq(l->name, STR("quota")))
		return limit_take(l->value, &s->quota.bytes);
	if (str_eq(l->name, STR("quota_messages")))
		return limit_take(l->value, &s->quota.messages);
	if (str_eq(l->name, STR("password")))
		s->password = arena_str(p->arena, l->value);
	else if (str_eq(l->name, STR("scram-sha-256")))
		s->scram_sha_256 = arena_str(p->arena, l->value);
	else if (str_eq(l->name, STR("admin")))
		s->admin = str_eq(l->value, STR("true"));
	else if (str_eq(l->name, STR("quota_warned")))
		s->quota_warned = str_eq(l->value, STR("true"));
	else if (str_eq(l->name, STR("owner")))
		s->owner = arena_str(p->arena, l->value);
	else if (str_eq(l->name, STR("members_only")))
		s->members_only = str_eq(l->value, STR("true"));
	else if (str_eq(l->name, STR("skip_author")))
		s->skip_author = str_eq(l->value, STR("true"));
	else
		rest_take(text, &p->rest);
	return OK;
}

enum err account_settings_parse(struct str text, struct arena *a, struct account_settings *s)
{
	struct parse p = { .s = s, .arena = a };
	enum err e = OK;

	*s = (struct account_settings){ 0 };
	while (text.len && !e) {
		ptrdiff_t lf = str_find(text, '\n');
		size_t len = lf < 0 ? text.len : (size_t)lf;
		struct str line = str_trim(str_cut(text, 0, len));
		struct line l;

		text = str_cut(text, lf < 0 ? len : len + 1, text.len);
		if (!line.len || line.p[0] == '#')
			continue;
		if (line_parse(line, &l)) {
			e = line_take(&l, line, &p);
		} else {
			log_error(
				"store", NULL, "account settings: not a `name = value` line: " STR_FMT, STR_ARG(line));
			e = ERR_NEVER;
		}
	}
	s->to = arena_str(a, buf_str(&p.to));
	s->rest = arena_str(a, buf_str(&p.rest));
	buf_free(&p.to);
	buf_free(&p.rest);
	return e;
}

/* Whatever bytes it is of. */
static void print_line(const char *name, struct str value, struct buf *out)
{
	buf_printf(out, "%s = ", name);
	buf_add_str(out, value);
	buf_add_char(out, '\n');
}

void account_name_print(const struct account_settings *s, struct buf *out)
{
	struct str left = s->to, member;

	buf_printf(out, "kind = %s\n", account_kind_word(s->kind));
	if (s->owner.len)
		print_line("owner", s->owner, out);
	if (s->members_only)
		buf_printf(out, "members_only = true\n");
	if (s->skip_author)
		buf_printf(out, "skip_author = true\n");
	while (members_next(&left, &member))
		print_line("to", member, out);
}

void account_settings_print(const struct account_settings *s, struct buf *out)
{
	buf_printf(out, "version = %d\n", VERSION);
	if (s->kind == KIND_ACCOUNT)
		print_line("password", s->password, out);
	else
		account_name_print(s, out);
	if (s->scram_sha_256.len)
		print_line("scram-sha-256", s->scram_sha_256, out);
	if (s->admin)
		buf_printf(out, "admin = true\n");
	account_quota_print(s, out);
	if (s->quota_warned)
		buf_printf(out, "quota_warned = true\n");
	buf_add_str(out, s->rest);
}

size_t account_settings_bytes(const struct account_settings *s)
{
	return s->password.len + s->scram_sha_256.len + s->to.len + s->owner.len + s->rest.len + COPY_EXTRA;
}

struct account_settings account_settings_copy(struct arena *a, const struct account_settings *s)
{
	struct account_settings copy = *s;

	copy.password = arena_str(a, s->password);
	copy.scram_sha_256 = arena_str(a, s->scram_sha_256);
	copy.to = arena_str(a, s->to);
	copy.owner = arena_str(a, s->owner);
	copy.rest = arena_str(a, s->rest);
	return copy;
}

enum err account_canonical(struct str address, struct arena *a, struct str *canonical, struct str *detail)
{
	struct address_path path;
	enum err e = address_mailbox(a, address, ADDRESS_UTF8, &path);
	ptrdiff_t plus;

	if (e)
		return e;
	plus = path.local.p[0] == '"' ? -1 : str_find(path.local, '+');
	if (detail)
		*detail = plus > 0 ? str_cut(path.local, (size_t)plus + 1, path.local.len) : STR_NONE;
	if (plus > 0)
		path.local.len = (size_t)plus;
	idn_domain(a, path.domain, &path.domain); /* what cannot be one is nobody's */
	*canonical = address_canonical(a, &path);
	return OK;
}
