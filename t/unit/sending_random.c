/* Any history of mail, hosts, orders and failures: whoever waits has a time, and in the end all are gone. */
#include "t/sending.h"

#define DAY (24 * 3600)

static size_t order(struct queue_item *item, enum sending_order what, const char *to)
{
	return sending_order(&w, item->message, what, str_of(to), NULL, NULL);
}

/* --- random histories ------------------------------------------------------------------------------------------------------- */

static uint64_t dice_state = 88172645463325252u;

static unsigned dice(unsigned sides)
{
	dice_state ^= dice_state << 13;
	dice_state ^= dice_state >> 7;
	dice_state ^= dice_state << 17;
	return (unsigned)(dice_state >> 33) % sides;
}

/* Each item is where its state says, and each that waits has a time. */
static bool all_are_owned(void)
{
	const struct sending *s = w.sending;
	size_t waiting = 0, placed = s->calendar.count;

	for (size_t i = 0; i < queue.count; i++)
		for (uint32_t k = 0; k < queue.messages[i]->count; k++) {
			const struct queue_item *item = &queue.messages[i]->items[k];

			if (!item->message)
				continue;
			waiting += item->state == ITEM_WAITS;
			if (item->state == ITEM_WAITS &&
				(!item->place || s->calendar.entries[item->place - 1].item != item))
				return false;
			if (item->state == ITEM_WAITS && item->next_s > now_s() && is_due(item))
				return false;
			if (item->state != ITEM_WAITS && item->place)
				return false;
		}
	return waiting == placed && (!placed || timer_runs(&s->calendar_timer));
}

static void do_something(struct host *any[], unsigned any_count)
{
	struct queue_item *item = NULL;
	struct queue_message *m;
	char to[40] = "a@";

	if (queue.count) {
		m = queue.messages[dice((unsigned)queue.count)];
		item = &m->items[dice(m->count)];
	}
	switch (dice(item && item->message ? 10 : 4)) {
	case 0:
		any[dice(any_count)]->habit = (enum habit)dice(DROPS + 1);
		break;
	case 1:
	case 2:
		m = message(dice(10) ? "you@here.test" : "", 1 + dice(5));
		m->priority = (int8_t)((int)dice(19) - 9);
		for (uint32_t i = 0; i < m->count; i++) {
			memcpy(to + 2, any[dice(any_count)]->name, 16);
			address(m, i, to);
			m->items[i].notify = (uint8_t)dice(16);
			m->items[i].local = !dice(10);
		}
		put(m);
		break;
	case 3:
		reports_fail = !dice(5);
		break;
	case 4:
		order(item, ORDER_HOLD, "");
		break;
	case 5:
		order(item, ORDER_RELEASE, "");
		break;
	case 6:
		order(item, ORDER_MOVE, "h1.test:25");
		break;
	case 7:
		order(item, dice(4) ? ORDER_RETRY : ORDER_BOUNCE, "");
		break;
	default:
		sending_destination_retry(&w, item->destination);
	}
}

static void test_random(void)
{
	static char names[8][16];
	struct host *any[8];
	bool owned = true;
	uint32_t at_s = 0;
	uint64_t items = 0;

	begin(NULL);
	for (unsigned i = 0; i < 8; i++) {
		snprintf(names[i], sizeof(names[i]), "h%u.test", i);
		any[i] = host_add(names[i], GOOD, dice(100) * 1000);
	}
	for (unsigned i = 0; i < 2000 && owned; i++) {
		do_something(any, 8);
		at_s += dice(4) ? dice(60) : dice(20000);
		run_until(at_s);
		owned = all_are_owned();
	}
	ok(owned, "after any history each item that waits is in the calendar, and a timer runs for the first");
	reports_fail = false;
	for (size_t i = 0; i < queue.count; i++) {
		items += queue.messages[i]->count;
		sending_order(&w, queue.messages[i], ORDER_RELEASE, STR(""), NULL, NULL);
	}
	run_until(at_s + 7 * DAY);
	ok(queue.closed == items && !queue_after(&queue, 0), "and a week later all are gone (%llu of %llu)",
		(unsigned long long)queue.closed, (unsigned long long)items);
	ok(w.sending->session_count == 0 && !sending_destination_after(&w, NULL),
		"with them sessions and destinations");
	end();
}

int main(void)
{
	log_to(open("/dev/null", O_WRONLY));
	test_random();
	return done();
}
