/* control_route.c - the request `route`: what an address means, step by step, and where its mail goes next.
 * Items: {"step": "a sentence"} each, then for each thing it comes to {"kind": "remote", "address": ..., "detail": ...,
 * "text": ..., "sender": ..., "forwarded": ..., "relay": ..., "backup": ..., "next_hop": ..., "route": ...}. */
#include "core/arena.h"
#include "protocols/cli/control_session.h"
#include "storage/route/route.h"

static const char *kind_word(enum route_kind kind)
{
	static const char *const words[] = {
		[ROUTE_LOCAL] = "local",
		[ROUTE_REMOTE] = "remote",
		[ROUTE_DISCARD] = "discard",
		[ROUTE_REJECT] = "reject",
		[ROUTE_AGAIN] = "again",
	};

	return words[kind];
}

static void tell_leaf(struct control *c, const struct route_leaf *l)
{
	struct str sender = l->sender.len ? l->sender : control_text(c, "sender");
	struct next_hop hop = { 0 };
	struct arena a = { 0 };
	struct buf key = { 0 };

	if (l->kind == ROUTE_REMOTE) {
		next_hop_find(c->worker->conf, &a, l->address, sender, &hop);
		next_hop_key(&hop, &key);
	}
	control_item(c,
		json_pack("{s:s, s:o, s:o, s:o, s:o, s:b, s:b, s:b, s:o, s:o}", "kind", kind_word(l->kind), "address",
			control_json(l->address), "detail", control_json(l->detail), "text", control_json(l->text),
			"sender", control_json(l->sender), "forwarded", l->forwarded, "relay", l->relay, "backup",
			l->backup, "next_hop", control_json(buf_str(&key)), "route", control_json(hop.rule)));
	buf_free(&key);
	arena_free(&a);
}

static void route_told(void *user, const struct route *route)
{
	struct control *c = user;

	c->waiting = NULL;
	for (size_t i = 0; i < route->step_count; i++)
		control_item(c, json_pack("{s:o}", "step", control_json(route->steps[i])));
	for (size_t i = 0; i < route->count; i++)
		tell_leaf(c, &route->leaves[i]);
	control_done(c);
}

static void handle_route(struct control *c)
{
	struct route_question q = { .address = control_text(c, "address"),
		.sender = control_text(c, "sender"),
		.believed = true,
		.explain = true,
		.login = json_is_true(json_object_get(c->request, "login")) };

	c->waiting = route_find(c->worker, &q, route_told, c);
}

const struct control_request control_route_requests[] = {
	{ "route", handle_route },
	{ 0 },
};
