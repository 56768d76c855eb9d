/* queue_json.c - see queue_json.h. Times are seconds since 1970, and how long ago or ahead that is by the server's clock. */
#include "protocols/cli/queue_json.h"

static void set_text(json_t *j, const char *name, struct str text)
{
	if (text.len)
		json_object_set_new(j, name, control_json(text));
}

static void set_number(json_t *j, const char *name, int64_t number)
{
	json_object_set_new(j, name, json_integer((json_int_t)number));
}

static int64_t now_s(const struct worker *w)
{
	return worker_wall_ms(w) / 1000;
}

static void set_envelope(json_t *j, const struct queue_envelope *e)
{
	static const char *const bodies[] = { "7bit", "8bitmime", "binarymime" };

	set_text(j, "account", e->account);
	set_text(j, "peer", e->peer);
	set_text(j, "envid", e->envid);
	json_object_set_new(j, "body", json_string(bodies[e->body <= BODY_BINARYMIME ? e->body : BODY_BINARYMIME]));
	json_object_set_new(j, "utf8", json_boolean(e->utf8));
	if (e->ret)
		json_object_set_new(j, "ret", json_string(e->ret == RET_FULL ? "full" : "hdrs"));
	if (e->release_s)
		set_number(j, "release_s", e->release_s);
	if (e->by_s)
		set_number(j, "by_s", e->by_s);
}

json_t *queue_message_json(struct worker *w, const struct queue_copy *copy, bool whole)
{
	const struct queue_envelope *e = &copy->envelope;
	char id[QUEUE_ID_SIZE];
	json_t *j = json_pack("{s:s, s:o, s:I, s:I, s:I, s:I}", "id", queue_id_print(id, copy->id), "sender",
		control_json(e->sender), "size", (json_int_t)copy->wire, "arrived_s", (json_int_t)e->arrived_s, "age_s",
		(json_int_t)(now_s(w) - e->arrived_s), "worker", (json_int_t)w->slot);

	set_text(j, "received", e->id);
	if (e->priority)
		set_number(j, "priority", e->priority);
	if (whole)
		set_envelope(j, e);
	return j;
}

static const char *state_of(const struct queue_item *item)
{
	static const char *const states[] = {
		[ITEM_WAITS] = "waits", [ITEM_TRYING] = "trying", [ITEM_HELD] = "held", [ITEM_CLOSING] = "ending"
	};

	return item && item->message ? states[item->state & 3] : "done";
}

static json_t *notify_json(unsigned notify)
{
	static const char *const words[] = { "never", "success", "failure", "delay" };
	json_t *j = json_array();

	for (unsigned i = 0; i < 4; i++)
		if (notify & 1u << i)
			json_array_append_new(j, json_string(words[i]));
	return j;
}

static void set_words(json_t *j, struct str status, struct str reply, struct str remote)
{
	set_text(j, "status", status);
	set_text(j, "reply", reply);
	set_text(j, "remote", remote);
}

/* When it is tried, and what was said last: of what is due and waits with all else for its destination, that is the
 * destination's. */
static void set_next(json_t *j, const struct worker *w, const struct queue_recipient *to, const struct queue_item *item,
	const struct destination_status *d)
{
	bool due = item->state == ITEM_WAITS && item->next_s <= now_s(w), waits = due && d->next_s > now_s(w);
	uint32_t next_s = waits ? d->next_s : item->next_s;

	set_number(j, "tries", item->tries);
	if (item->state == ITEM_WAITS) {
		set_number(j, "next_s", next_s);
		set_number(j, "in_s", (int64_t)next_s - now_s(w));
	}
	if (waits && !to->reply.len)
		set_words(j, d->status, d->reply, d->remote);
	set_text(j, "destination", d->key);
	if (item->warned_s)
		json_object_set_new(j, "warned", json_true());
}

json_t *queue_recipient_json(
	struct worker *w, const struct queue_recipient *to, const struct queue_item *item, bool whole)
{
	json_t *j = json_pack("{s:o, s:s}", "address", control_json(to->address), "state", state_of(item));
	struct destination_status status = { .key = STR("") };

	if (item && item->message) {
		if (item->destination)
			sending_destination_status(w, item->destination, &status);
		set_next(j, w, to, item, &status);
	}
	if (!str_eq(to->original, to->address))
		set_text(j, "original", to->original);
	set_words(j, to->status, to->reply, to->remote);
	if (whole) {
		json_object_set_new(j, "local", json_boolean(to->local));
		set_text(j, "orcpt", to->orcpt);
		if (to->notify)
			json_object_set_new(j, "notify", notify_json(to->notify));
	}
	return j;
}

json_t *queue_destination_json(const struct worker *w, const struct destination_status *d)
{
	json_t *j = json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "destination", control_json(d->key), "items",
		(json_int_t)d->items, "held", (json_int_t)d->held, "sessions", (json_int_t)d->sessions, "sent",
		(json_int_t)d->sent, "deferred", (json_int_t)d->deferred, "refused", (json_int_t)d->refused);

	if (d->oldest_s) {
		set_number(j, "oldest_s", d->oldest_s);
		set_number(j, "oldest_age_s", now_s(w) - d->oldest_s);
	}
	if (d->next_s) {
		set_number(j, "next_s", d->next_s);
		set_number(j, "in_s", (int64_t)d->next_s - now_s(w));
	}
	set_text(j, "status", d->status);
	set_text(j, "reply", d->reply);
	set_text(j, "remote", d->remote);
	return j;
}

json_t *queue_totals_json(const struct worker *w)
{
	struct queue_totals t = queue_totals(w->queue);

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:b}", "worker", (json_int_t)w->slot, "messages",
		(json_int_t)t.messages, "items", (json_int_t)t.items, "bytes", (json_int_t)t.bytes, "held",
		(json_int_t)t.held, "reading", t.reading);
}
