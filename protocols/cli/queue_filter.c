/* queue_filter.c - see queue_filter.h. */
#include "protocols/cli/queue_filter.h"
#include "core/pack.h"

const char *filter_read(const struct control *c, struct queue_filter *f)
{
	json_t *older = json_object_get(c->request, "older_ms");
	int64_t now_s = worker_wall_ms(c->worker) / 1000, before_s = 0;
	struct str id = control_text(c, "id");

	*f = (struct queue_filter){ .to = control_text(c, "to"),
		.from = control_text(c, "from"),
		.destination = control_text(c, "destination"),
		.held = json_is_true(json_object_get(c->request, "held")) };
	if (id.len && (!queue_id_read(id, &f->id) || !f->id))
		return "that is no id of the queue: they are like q0-1f3a";
	if (older) {
		before_s = now_s - json_integer_value(older) / 1000;
		f->before_s = before_s < 1 ? 1 : (uint32_t)before_s;
	}
	return NULL;
}

bool filter_is_all(const struct queue_filter *f)
{
	return !f->to.len && !f->from.len && !f->destination.len && !f->id && !f->before_s && !f->held;
}

void filter_pack(const struct queue_filter *f, struct buf *out)
{
	pack_str(out, f->to);
	pack_str(out, f->from);
	pack_str(out, f->destination);
	pack_u64(out, f->id);
	pack_u32(out, f->before_s);
	pack_u8(out, f->held);
}

void filter_unpack(struct unpack *u, struct queue_filter *f)
{
	f->to = unpack_str(u);
	f->from = unpack_str(u);
	f->destination = unpack_str(u);
	f->id = unpack_u64(u);
	f->before_s = unpack_u32(u);
	f->held = unpack_u8(u);
}

bool filter_needs_texts(const struct queue_filter *f)
{
	return f->to.len || f->from.len;
}

/* By an address, or by its domain. */
static bool fits(struct str wanted, struct str address)
{
	ptrdiff_t at = str_find(wanted, '@') < 0 ? str_rfind(address, '@') : -1;

	if (str_eq(wanted, STR("<>")))
		return !address.len;
	return str_eq_nocase(wanted, str_cut(address, (size_t)(at + 1), address.len));
}

static bool goes_to(struct worker *w, const struct queue_item *item, struct str destination)
{
	struct destination_status status;

	if (!item->destination)
		return false;
	sending_destination_status(w, item->destination, &status);
	return str_eq_nocase(status.key, destination);
}

/* What tells without the texts. */
static bool may_be(const struct queue_filter *f, struct worker *w, const struct queue_item *item)
{
	return item->message && (!f->held || item->state == ITEM_HELD) &&
	       (!f->destination.len || goes_to(w, item, f->destination));
}

bool filter_has(const struct queue_filter *f, struct worker *w, const struct queue_message *m)
{
	if (f->before_s && m->arrived_s > f->before_s)
		return false;
	if (!f->held && !f->destination.len)
		return true;
	for (uint32_t i = 0; i < m->count; i++)
		if (may_be(f, w, &m->items[i]))
			return true;
	return false;
}

bool filter_has_item(
	const struct queue_filter *f, struct worker *w, const struct queue_item *item, const struct queue_envelope *e)
{
	const struct queue_recipient *to;

	if (!may_be(f, w, item) || (f->from.len && !fits(f->from, e->sender)))
		return false;
	if (!f->to.len)
		return true;
	to = &e->recipients[item->number];
	return fits(f->to, to->address) || (to->original.len && fits(f->to, to->original));
}
