/* imap_about.c - what client and server tell each other of themselves: ID (RFC 2971), ENABLE (RFC 5161), NAMESPACE
 * (RFC 2342). */
#include "core/log.h"
#include "protocols/imap/imap_session.h"

/* ---- ID ---- */

#define ID_FIELDS_MAX 30 /* RFC 2971, 3.3: these three */
#define ID_NAME_MAX   30
#define ID_VALUE_MAX  1024

static void id_name_and_value(const char *item, struct str *name, struct str *value)
{
	struct str whole = str_of(item);
	ptrdiff_t equals = str_find(whole, '=');

	*name = str_cut(whole, 0, equals < 0 ? whole.len : (size_t)equals);
	*value = equals < 0 ? STR_NONE : str_cut(whole, (size_t)equals + 1, whole.len);
}

static bool is_printable(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return true;
}

bool imap_id_check(const struct setting_list *id, struct buf *why)
{
	bool good = id->count <= ID_FIELDS_MAX;

	for (size_t i = 0; i < id->count; i++) {
		struct str name, value;

		id_name_and_value(id->items[i], &name, &value);
		good &= name.len && name.len <= ID_NAME_MAX && value.len && value.len <= ID_VALUE_MAX &&
		        is_printable(str_of(id->items[i]));
	}
	if (!good)
		buf_printf(why,
			"imap.id: up to %d items \"field=value\" of printable ASCII, a field of up to %d bytes\n",
			ID_FIELDS_MAX, ID_NAME_MAX);
	return good;
}

/* What the client says of itself goes to the log. */
static void take_id(struct imap *s, struct args *a)
{
	unsigned count = 0;

	args_char(a, '(');
	while (!a->bad && !args_peek(a, ')')) {
		struct str name, value = STR_NONE;

		if (count++)
			args_space(a);
		name = args_string(a);
		args_space(a);
		if (!args_word(a, STR("NIL")))
			value = args_string(a);
		if (count > ID_FIELDS_MAX || name.len > ID_NAME_MAX || value.len > ID_VALUE_MAX)
			args_wrong(a);
		if (!a->bad)
			log_debug("imap", conn_id(s->conn), "id field=\"" STR_FMT "\" value=\"" STR_FMT "\"",
				STR_ARG(name), STR_ARG(value));
	}
	args_char(a, ')');
}

enum next cmd_id(struct imap *s, struct args *a)
{
	const struct setting_list *id = &imap_conf(s)->id;
	struct buf *out;

	args_space(a);
	if (!args_word(a, STR("NIL")))
		take_id(s, a);
	if (!args_end(a))
		return imap_bad(s, "ID wants NIL or a list of fields and values");
	out = conn_out(s->conn);
	buf_add_str(out, STR("* ID "));
	for (size_t i = 0; i < id->count; i++) {
		struct str name, value;

		id_name_and_value(id->items[i], &name, &value);
		buf_add_char(out, i ? ' ' : '(');
		imap_write_string(out, name);
		buf_add_char(out, ' ');
		imap_write_string(out, value);
	}
	buf_add_str(out, id->count ? STR(")\r\n") : STR("NIL\r\n"));
	conn_wrote(s->conn);
	return imap_ok(s, "ID done");
}

/* ---- ENABLE ---- */

/* None of our capabilities changes what a client is sent unasked, so none needs to be enabled: what is asked for is passed
 * over, as RFC 5161, 3.1 wants it, and the list of those enabled is empty. */
enum next cmd_enable(struct imap *s, struct args *a)
{
	do {
		args_space(a);
		args_atom(a);
	} while (!a->bad && a->left.len);
	if (!args_end(a))
		return imap_bad(s, "ENABLE wants capabilities");
	imap_untagged(s, "ENABLED");
	return imap_ok(s, "ENABLE done");
}

/* ---- NAMESPACE ---- */

enum next cmd_namespace(struct imap *s, struct args *a)
{
	if (!args_end(a))
		return imap_bad(s, "NAMESPACE takes nothing");
	imap_untagged(s, "NAMESPACE ((\"\" \"/\")) NIL NIL");
	return imap_ok(s, "NAMESPACE done");
}
