/* A long random history of queues, of two workers or of one that has the other's to see to, against a model that is
 * only an array: puts of all sizes, changes, ends within puts, restarts; segments are small, so messages move between
 * them. */
#include "t/queue.h"

#define MESSAGES 4000 /* of the whole history */
#define ITEMS    5
#define STEPS    600
#define PUTS     4 /* at once */

struct item { /* as the model has it */
	bool open, held;
	uint32_t warned_s;
	uint32_t next_s;
	uint16_t tries;
	unsigned reply; /* 0: none */
};

struct mail {
	uint64_t id; /* 0: not put yet */
	unsigned slot, count;
	uint32_t size;
	struct item items[ITEMS];
};

static struct mail mails[MESSAGES];
static size_t mail_count;
static unsigned failures;
static uint64_t random_state = 4;

static uint32_t below(uint32_t limit)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(random_state >> 33) % limit;
}

static void check(bool good, const char *what, const struct mail *m)
{
	if (!good && failures++ < 20)
		printf("# amiss: %s of %s\n", what, m ? id_text(m->id) : "-");
}

static bool is_open(const struct mail *m)
{
	for (unsigned i = 0; i < m->count; i++)
		if (m->items[i].open)
			return true;
	return false;
}

/* The worker that has it now: it may have been moved while another looked after its directory. */
static struct worker *worker_of(const struct mail *m)
{
	for (unsigned i = 0; i < worker_count; i++)
		if (m->id && queue_find(workers[i].queue, m->id))
			return &workers[i];
	return &workers[m->slot % worker_count];
}

/* --- texts ------------------------------------------------------------------------------------------------------------ */

static const char *address_text(size_t mail, unsigned item)
{
	static char text[64];

	snprintf(text, sizeof(text), "to%zu.%u@far%u.test", mail, item, item);
	return text;
}

/* Lines that look like ours, or like a message's beginning, are in the message and say nothing. */
static void text_make(struct buf *b, size_t mail, uint32_t size)
{
	buf_clear(b);
	buf_printf(b,
		"X-Postern-To: 0 address=forged@far.test\nSubject: mail %zu\n\n>From nobody Mon Nov 23 05:40:43 2026\n"
		"X-Postern-Queue: 1 q0-1 bytes=1 stored=1 wire=1 header=1 to=1 crc=00000000\n\n",
		mail);
	while (buf_len(b) < size)
		buf_printf(b, "line %zu of %zu\n", buf_len(b), mail);
}

/* --- puts ------------------------------------------------------------------------------------------------------------- */

struct putting {
	bool done;
	enum err e;
	struct mail *m;
	struct draft *draft;
	struct queue_item *ends[ITEMS];
	struct mail *ended;
	unsigned end_count;
};

static void on_random_put(void *user, enum err e, uint64_t id)
{
	struct putting *p = user;

	p->done = true;
	p->e = e;
	p->m->id = id;
}

/* Some puts end what is open of another message. */
static void ends_choose(struct putting *p, struct queue_put *put)
{
	struct mail *m = &mails[below((uint32_t)mail_count)];

	if (!m->id || !is_open(m) || worker_of(m) != worker_of(p->m))
		return;
	for (unsigned i = 0; i < m->count; i++) {
		struct queue_item *item = m->items[i].open ? item_of(worker_of(m), m->id, i) : NULL;

		if (!m->items[i].open)
			continue;
		check(item != NULL, "an item to end", m);
		if (item && item->state != ITEM_CLOSING)
			p->ends[p->end_count++] = item;
		m->items[i].open = false;
	}
	put->ends = p->ends;
	put->end_count = p->end_count;
}

static void putting_begin(struct putting *p)
{
	struct queue_recipient to[ITEMS] = { 0 };
	struct queue_envelope e = { .sender = STR("alice@example.test"), .recipients = to, .arrived_s = NOW_S };
	struct queue_put put = { .envelope = &e };
	char addresses[ITEMS][64];
	struct buf text = { 0 };
	size_t number = mail_count++;
	struct mail *m = &mails[number];

	p->m = m;
	m->slot = below(worker_count);
	m->count = 1 + below(ITEMS);
	m->size = below(10) ? below(5000) : below(60) ? below(60000) : DRAFT_MEMORY_MAX + below(100000);
	for (unsigned i = 0; i < m->count; i++) {
		snprintf(addresses[i], sizeof(addresses[i]), "%s", address_text(number, i));
		to[i].address = str_of(addresses[i]);
		m->items[i] = (struct item){ .open = true, .next_s = NOW_S };
	}
	e.count = m->count;
	text_make(&text, number, m->size);
	asker = worker_of(m);
	if (below(2) || m->size > 60000) {
		p->draft = put.draft = draft_of(buf_str(&text));
		put.before = STR("Received: by us\n");
	} else {
		put.bytes = buf_str(&text);
	}
	if (!below(4))
		ends_choose(p, &put);
	queue_put(worker_of(m)->queue, &put, on_random_put, p);
	buf_free(&text);
}

static void put_some(void)
{
	struct putting puts[PUTS] = { 0 };
	unsigned count = 1 + below(PUTS);

	for (unsigned i = 0; i < count && mail_count < MESSAGES; i++)
		putting_begin(&puts[i]);
	for (unsigned i = 0; i < count && puts[i].m; i++) {
		wait_for(&puts[i].done);
		check(!puts[i].e, "a put", puts[i].m);
		draft_free(puts[i].draft);
	}
}

/* --- changes ---------------------------------------------------------------------------------------------------------- */

static struct mail *any_open(void)
{
	for (unsigned tries = 0; mail_count && tries < 100; tries++) {
		struct mail *m = &mails[below((uint32_t)mail_count)];

		if (m->id && is_open(m))
			return m;
	}
	return NULL;
}

static void change_some(void)
{
	struct mail *m = any_open();
	unsigned number = m ? below(m->count) : 0;
	struct item *i = m ? &m->items[number] : NULL;
	struct queue_item *item;
	struct queue_change c = { 0 };
	char reply[64];

	if (!m || !i->open)
		return;
	item = item_of(worker_of(m), m->id, number);
	check(item && item->state != ITEM_CLOSING, "an item to change", m);
	if (!item)
		return;
	i->reply = below(3) ? 1 + below(1000000) : 0;
	snprintf(reply, sizeof(reply), "450 4.2.%u no=50%%\nagain", i->reply);
	i->open = below(3);
	i->held = i->open && !below(5);
	i->warned_s = below(2) ? NOW_S + below(1000) : 0;
	i->next_s = NOW_S + below(100000);
	i->tries++;
	c.fate = !i->open ? FATE_ENDED : i->held ? FATE_HELD : FATE_WAITS;
	c.next_s = i->next_s;
	c.tries = i->tries;
	c.warned_s = i->warned_s;
	if (i->reply)
		c.reply = str_of(reply);
	queue_change(worker_of(m)->queue, item, &c);
}

/* --- comparing -------------------------------------------------------------------------------------------------------- */

static void items_compare(const struct mail *m, struct queue_message *q)
{
	check(q->count == m->count, "the number of items", m);
	for (unsigned i = 0; i < m->count && i < q->count; i++) {
		const struct queue_item *item = &q->items[i];
		const struct item *is = &m->items[i];

		if (!is->open) {
			check(!item->message || item->state == ITEM_CLOSING, "an end", m);
			continue;
		}
		check(item->message == q, "an item", m);
		check(item->state == (is->held ? ITEM_HELD : ITEM_WAITS) && item->next_s == is->next_s &&
				item->tries == is->tries && item->warned_s == is->warned_s,
			"what is known of an item", m);
	}
}

static void open_compare(const struct mail *m, bool settled)
{
	struct queue_copy *c = open_message(worker_of(m), m->id);
	size_t number = (size_t)(m - mails);
	struct buf text = { 0 };
	struct str bytes;

	check(c && c->envelope.count == m->count, "an envelope", m);
	if (!c)
		return;
	for (unsigned i = 0; i < m->count; i++) {
		const struct queue_recipient *r = &c->envelope.recipients[i];
		char reply[64] = "";

		check(str_eq(r->address, str_of(address_text(number, i))), "an address", m);
		if (m->items[i].reply)
			snprintf(reply, sizeof(reply), "450 4.2.%u no=50%%\nagain", m->items[i].reply);
		if (settled && m->items[i].open)
			check(str_eq(r->reply, str_of(reply)), "a reply", m);
	}
	text_make(&text, number, m->size);
	bytes = read_copy(c);
	if (str_starts(bytes, STR("Received: by us\n")))
		bytes = str_cut(bytes, 16, bytes.len);
	/* a draft's bytes came from the wire, where the quoted line was quoted once more */
	check(bytes.len == buf_len(&text) ? str_eq(bytes, buf_str(&text)) : bytes.len == buf_len(&text) + 1,
		"the bytes", m);
	queue_copy_free(c);
	buf_free(&text);
}

static void compare(bool settled)
{
	unsigned there = 0;

	for (size_t n = 0; n < mail_count; n++) {
		const struct mail *m = &mails[n];
		struct queue_message *q = m->id ? queue_find(worker_of(m)->queue, m->id) : NULL;

		if (!is_open(m)) {
			check(!settled || !q, "its being gone", m);
			continue;
		}
		there++;
		check(q != NULL, "its being there", m);
		if (q) {
			items_compare(m, q);
			if (!below(8))
				open_compare(m, settled);
		}
	}
	if (!settled)
		return;
	for (unsigned i = 0; i < worker_count; i++) {
		struct queue_message *q = NULL;

		while ((q = queue_after(workers[i].queue, q ? q->id : 0)))
			there--;
	}
	check(!there, "the number of all", NULL);
}

int main(void)
{
	const struct mail *last;

	log_set_levels("error");
	queue_test_begin(2);
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned what = below(100);

		if (what < 30)
			put_some();
		else if (what < 90)
			for (unsigned i = below(20); i; i--)
				change_some();
		else if (what < 97)
			turn_for(below(4));
		else if (what < 98)
			compare(false);
		else {
			restart(1 + below(2));
			compare(true);
		}
		if (step % 150 == 149) { /* what is in old segments is moved */
			turn_for(1500);
			compare(false);
		}
	}
	ok(!failures, "a queue does as the model does");
	last = mail_count ? &mails[mail_count - 1] : NULL;
	ok(last && mail_count > 300, "many messages were put count=%zu", mail_count);
	ok(counted("queue.moved") > 10, "some were moved to other segments count=%u", (unsigned)counted("queue.moved"));
	restart(2);
	compare(true);
	ok(!failures, "and so it is found at the end");
	queue_test_end();
	return done();
}
