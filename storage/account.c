/* account.c - account.settings: the text and what it says. */
#include "storage/account.h"
#include "core/log.h"
#include "storage/address.h"

#define VERSION           1
#define SETTINGS_LINE_MAX 4096

struct line {
	struct str name, value;
};

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

static enum err line_take(const struct line *l, struct account_settings *s, struct str text, struct arena *a)
{
	uint32_t version;

	if (str_eq(l->name, STR("version"))) {
		if (!str_u32(l->value, &version) || version > VERSION) {
			log_error("store", NULL,
				"account settings of version " STR_FMT ", we know %d: a newer program "
				"is needed",
				STR_ARG(l->value), VERSION);
			return ERR_NEVER;
		}
	} else if (str_eq(l->name, STR("password"))) {
		s->password = arena_str(a, l->value);
	} else if (str_eq(l->name, STR("scram-sha-256"))) {
		s->scram_sha_256 = arena_str(a, l->value);
	} else if (str_eq(l->name, STR("admin"))) {
		s->admin = str_eq(l->value, STR("true"));
	} else {
		s->rest = str_of(arena_printf(a, STR_FMT STR_FMT "\n", STR_ARG(s->rest), STR_ARG(text)));
	}
	return OK;
}

enum err account_settings_parse(struct str text, struct arena *a, struct account_settings *s)
{
	*s = (struct account_settings){ 0 };
	while (text.len) {
		ptrdiff_t lf = str_find(text, '\n');
		size_t len = lf < 0 ? text.len : (size_t)lf;
		struct str line = str_trim(str_cut(text, 0, len));
		struct line l;
		enum err e;

		text = str_cut(text, lf < 0 ? len : len + 1, text.len);
		if (!line.len || line.p[0] == '#')
			continue;
		if (!line_parse(line, &l)) {
			log_error(
				"store", NULL, "account settings: not a `name = value` line: " STR_FMT, STR_ARG(line));
			return ERR_NEVER;
		}
		if ((e = line_take(&l, s, line, a)))
			return e;
	}
	return OK;
}

void account_settings_print(const struct account_settings *s, struct buf *out)
{
	buf_printf(out, "version = %d\n", VERSION);
	buf_printf(out, "password = " STR_FMT "\n", STR_ARG(s->password));
	if (s->scram_sha_256.len)
		buf_printf(out, "scram-sha-256 = " STR_FMT "\n", STR_ARG(s->scram_sha_256));
	if (s->admin)
		buf_printf(out, "admin = true\n");
	buf_add_str(out, s->rest);
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
	*canonical = address_canonical(a, &path);
	return OK;
}
