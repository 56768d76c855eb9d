/* A long random history of mailboxes, changed through two workers, against a model that is only arrays: with stops and
 * starts in between, now and then without the index, and sessions that must always know what their client knows. */
#include "t/store.h"

#define NAMES   6
#define CLIENTS 4
#define WORDS   5
#define STEPS   1500

static const char *const names[NAMES] = { "INBOX", "one", "two", "two/below", "three", "four" };
static const char *const words[WORDS] = { "$Forwarded", "work", "later", "a.b", "ZZ" };
static const char *const addresses[2] = { "alice@example.test", "carol@example.test" };

struct mail { /* a message as the model has it */
	uint32_t uid, flags, words;
	uint64_t hash;
};

struct box {
	bool there;
	uint32_t uidvalidity, uidnext;
	struct mail *mails;
	size_t count, cap;
};

static struct account *accounts[2];
static struct box boxes[2][NAMES];
static unsigned failures;

static uint64_t random_state;

static uint32_t below(uint32_t limit)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(random_state >> 33) % limit;
}

static bool check(bool good, const char *what)
{
	if (!good && failures++ < 20)
		printf("# amiss: %s\n", what);
	return good;
}

/* --- the model ---------------------------------------------------------------------------------------------------------- */

static void box_add(struct box *b, struct mail m)
{
	if (b->count == b->cap) {
		b->cap = b->cap ? 2 * b->cap : 16;
		b->mails = mem_resize(b->mails, b->cap * sizeof(*b->mails));
	}
	m.uid = b->uidnext++;
	b->mails[b->count++] = m;
}

static void box_remove(struct box *b, size_t at)
{
	memmove(&b->mails[at], &b->mails[at + 1], (--b->count - at) * sizeof(*b->mails));
}

static uint32_t words_of(const struct selected *s, const struct message *m)
{
	uint32_t bits = 0;

	for (unsigned bit = 0; bit < selected_keyword_count(s); bit++)
		for (unsigned i = 0; m->keywords >> bit & 1 && i < WORDS; i++)
			if (!strcmp(selected_keyword(s, bit), words[i]))
				bits |= 1u << i;
	return bits;
}

/* The mailbox is what the model says, to the last byte. */
static void box_compare(unsigned who, unsigned name)
{
	struct box *b = &boxes[who][name];
	struct selected *s = select_mailbox(accounts[who], names[name], false);

	if (!b->there && name) {
		check(!s && got.e == ERR_ABSENT, "a mailbox that should not be there");
		selected_free(s);
		return;
	}
	if (!check(s != NULL, "a mailbox cannot be selected"))
		return;
	if (!b->uidvalidity)
		b->uidvalidity = selected_uidvalidity(s);
	b->there = true;
	check(selected_uidvalidity(s) == b->uidvalidity, "UIDVALIDITY");
	check(selected_uidnext(s) == b->uidnext, "UIDNEXT");
	if (check(selected_exists(s) == b->count, "the number of messages"))
		for (uint32_t seq = 1; seq <= b->count; seq++) {
			const struct mail *mail = &b->mails[seq - 1];
			struct message m;

			selected_message(s, seq, &m);
			check(m.uid == mail->uid, "a UID");
			check(m.flags == mail->flags, "flags");
			check(words_of(s, &m) == mail->words, "keywords");
			check(str_hash(read_message(s, seq)) == mail->hash, "bytes");
		}
	selected_free(s);
	if (!status(accounts[who], names[name])) {
		uint32_t unseen = 0, deleted = 0;

		for (size_t i = 0; i < b->count; i++) {
			unseen += !(b->mails[i].flags & FLAG_SEEN);
			deleted += (b->mails[i].flags & FLAG_DELETED) != 0;
		}
		check(got.status.messages == b->count && got.status.unseen == unseen && got.status.deleted == deleted,
			"what STATUS counts");
	}
}

static void compare_all(void)
{
	for (unsigned who = 0; who < 2; who++)
		for (unsigned name = 0; name < NAMES; name++)
			box_compare(who, name);
}

/* --- sessions that stay --------------------------------------------------------------------------------------------------- */

struct client {
	struct selected *s;
	unsigned who, name, slot;
	uint32_t *uids; /* what the client was told of: their flags too */
	uint32_t *flags;
	uint32_t count;
};

static struct client clients[CLIENTS];

static void told_expunge(void *user, uint32_t seq)
{
	struct client *c = user;

	if (!check(seq && seq <= c->count, "an expunge of no message"))
		return;
	memmove(&c->uids[seq - 1], &c->uids[seq], (c->count - seq) * sizeof(*c->uids));
	memmove(&c->flags[seq - 1], &c->flags[seq], (c->count - seq) * sizeof(*c->flags));
	c->count--;
}

static void told_exists(void *user, uint32_t exists, uint32_t recent)
{
	struct client *c = user;

	(void)recent;
	check(exists >= c->count, "messages that vanish without an expunge");
	c->uids = mem_resize(c->uids, exists * sizeof(*c->uids));
	c->flags = mem_resize(c->flags, exists * sizeof(*c->flags));
	for (uint32_t seq = c->count + 1; seq <= exists; seq++) {
		struct message m;

		selected_message(c->s, seq, &m);
		c->uids[seq - 1] = m.uid;
		c->flags[seq - 1] = m.flags;
	}
	c->count = exists;
}

static void told_flags(void *user, uint32_t seq, const struct message *m)
{
	struct client *c = user;

	if (check(seq && seq <= c->count && c->uids[seq - 1] == m->uid, "flags of another message"))
		c->flags[seq - 1] = m->flags;
}

static void client_sync(struct client *c, bool may_expunge)
{
	static const struct selected_news news = { told_expunge, told_exists, told_flags, NULL };

	selected_sync(c->s, may_expunge, &news, c);
	check(selected_exists(c->s) == c->count, "the client and its session count differently");
	for (uint32_t seq = 1; seq <= c->count; seq++) {
		struct message m;

		selected_message(c->s, seq, &m);
		check(m.uid == c->uids[seq - 1] && selected_seq(c->s, m.uid) == seq,
			"a number stands for another message");
		check(m.flags & FLAG_EXPUNGED || m.flags == c->flags[seq - 1], "flags that the client was not told of");
	}
}

static bool client_knows(const struct client *c, const struct box *b)
{
	if (c->count != b->count)
		return false;
	for (uint32_t i = 0; i < c->count; i++)
		if (c->uids[i] != b->mails[i].uid || c->flags[i] != b->mails[i].flags)
			return false;
	return true;
}

/* With nothing under way the session soon knows what the model knows. */
static void client_compare(struct client *c)
{
	const struct box *b = &boxes[c->who][c->name];

	for (unsigned tries = 0; tries < 500; tries++) {
		client_sync(c, true);
		if (client_knows(c, b))
			return;
		turn_for(10);
	}
	check(false, "a session does not learn what there is");
}

static void client_close(struct client *c)
{
	selected_free(c->s);
	free(c->uids);
	free(c->flags);
	*c = (struct client){ 0 };
}

static void client_open(struct client *c)
{
	client_close(c);
	c->who = below(2);
	c->name = below(NAMES);
	c->slot = below(worker_count);
	asker = &workers[c->slot];
	c->s = select_mailbox(accounts[c->who], names[c->name], below(2));
	if (!c->s)
		return;
	boxes[c->who][c->name].there = true;
	told_exists(c, selected_exists(c->s), 0);
}

static void clients_leave(unsigned who, unsigned name)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		if (clients[i].s && clients[i].who == who && clients[i].name == name)
			client_close(&clients[i]);
}

/* --- steps ------------------------------------------------------------------------------------------------------------------ */

static struct str mail_make(struct buf *wire, struct buf *stored)
{
	unsigned lines = below(60) == 0 ? 8000 : below(20);

	buf_clear(wire);
	buf_clear(stored);
	buf_printf(wire, "Subject: %u\r\n\r\n", below(1000000));
	for (unsigned i = 0; i < lines; i++)
		buf_printf(wire, "line %u of some text that goes on for a while %u\r\n", i, below(1000));
	for (size_t i = 0; i < buf_len(wire); i++)
		if (buf_data(wire)[i] != '\r')
			buf_add_char(stored, buf_data(wire)[i]);
	return buf_str(wire);
}

static void step_deliver(unsigned who, struct buf *wire, struct buf *stored)
{
	static const char trace[] = "Return-Path: <bob@example.test>\n";
	struct buf whole = { 0 };
	struct mail m = { 0 };

	mail_make(wire, stored);
	buf_add(&whole, trace, sizeof(trace) - 1);
	buf_add_str(&whole, buf_str(stored));
	m.hash = str_hash(buf_str(&whole));
	if (check(!deliver_named(addresses[who], buf_str(wire), name_next(asker)), "a delivery fails"))
		box_add(&boxes[who][0], m);
	boxes[who][0].there = true;
	status(accounts[who], "INBOX"); /* a delivery is answered before it is seen: what follows is to meet it */
	buf_free(&whole);
}

static void step_append(unsigned who, unsigned name, struct buf *wire, struct buf *stored)
{
	struct box *b = &boxes[who][name];
	struct mail m = { .flags = below(2) ? below(32) : 0, .words = below(4) ? 0 : 1u << below(WORDS) };
	const char *word = NULL;

	for (unsigned i = 0; i < WORDS; i++)
		if (m.words >> i & 1)
			word = words[i];
	mail_make(wire, stored);
	m.hash = str_hash(buf_str(stored));
	append(accounts[who], names[name], buf_str(wire), m.flags, word, 0);
	if (!b->there && name) {
		check(got.e == ERR_ABSENT, "an append to nothing");
		return;
	}
	b->there = true;
	if (check(!got.e && got.uid == b->uidnext, "an append fails"))
		box_add(b, m);
}

static void step_flags(struct client *c)
{
	struct box *b = &boxes[c->who][c->name];
	uint32_t first = 1 + below(b->uidnext + 1), last = first + below(20), flags = below(32),
		 word = below(2 * WORDS);
	enum flags_how how = (enum flags_how)below(3);
	uint32_t bits = word < WORDS ? 1u << word : 0;

	asker = &workers[c->slot];
	check(!change_flags(accounts[c->who], c->s, first, last, how, flags, bits ? words[word] : NULL), "STORE fails");
	for (size_t i = 0; i < b->count; i++) {
		struct mail *m = &b->mails[i];

		if (m->uid < first || m->uid > last)
			continue;
		m->flags = how == FLAGS_REPLACE ? flags : how == FLAGS_ADD ? m->flags | flags : m->flags & ~flags;
		m->words = how == FLAGS_REPLACE ? bits : how == FLAGS_ADD ? m->words | bits : m->words & ~bits;
	}
	client_sync(c, below(2));
}

static void step_expunge(struct client *c)
{
	struct box *b = &boxes[c->who][c->name];

	asker = &workers[c->slot];
	check(!expunge(accounts[c->who], c->s), "EXPUNGE fails");
	for (size_t i = b->count; i-- > 0;)
		if (b->mails[i].flags & FLAG_DELETED)
			box_remove(b, i);
	client_sync(c, true);
}

static void step_copy(struct client *c)
{
	struct box *from = &boxes[c->who][c->name];
	unsigned name = below(NAMES);
	struct box *to = &boxes[c->who][name];
	uint32_t first = 1 + below(from->uidnext + 1), last = first + below(10);
	size_t count = from->count;
	bool move = below(2);

	asker = &workers[c->slot];
	copy(accounts[c->who], c->s, first, last, names[name], move);
	if (!to->there && name) {
		check(got.e == ERR_ABSENT, "a copy to nothing");
		return;
	}
	to->there = true;
	if (!check(!got.e, "COPY fails"))
		return;
	for (size_t i = 0; i < count; i++)
		if (from->mails[i].uid >= first && from->mails[i].uid <= last)
			box_add(to, from->mails[i]);
	for (size_t i = count; move && i-- > 0;)
		if (from->mails[i].uid >= first && from->mails[i].uid <= last)
			box_remove(from, i);
	client_sync(c, below(2));
}

static void box_empty(struct box *b)
{
	free(b->mails);
	*b = (struct box){ .uidnext = 1 };
}

static void step_names(unsigned who, unsigned name)
{
	struct box *b = &boxes[who][name], *to;
	unsigned other = below(NAMES);

	switch (below(4)) {
	case 0:
	case 1:
		create(accounts[who], names[name]);
		check(got.e == (b->there || !name ? ERR_EXISTS : OK), "CREATE");
		if (!got.e)
			b->there = true;
		break;
	case 2:
		if (!name)
			return;
		delete_mailbox(accounts[who], names[name]);
		check(!got.e == b->there, "DELETE");
		clients_leave(who, name);
		box_empty(b);
		break;
	default:
		if (name < 1 || name == 2 || other < 1 || other == 2 || other == name)
			return; /* those with others below are renamed by another test */
		to = &boxes[who][other];
		rename_mailbox(accounts[who], names[name], names[other]);
		check(got.e == (to->there ? ERR_EXISTS : b->there ? OK : ERR_ABSENT), "RENAME");
		if (got.e)
			return;
		free(to->mails);
		*to = *b;
		*b = (struct box){ .uidnext = 1 };
		for (unsigned i = 0; i < CLIENTS; i++)
			if (clients[i].s && clients[i].who == who && clients[i].name == name)
				clients[i].name = other;
	}
}

static void index_remove(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/index", scratch_path);
	nftw(path, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void step_restart(void)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		if (clients[i].s) {
			client_compare(&clients[i]);
			client_close(&clients[i]);
		}
	compare_all();
	stop();
	if (below(2))
		index_remove();
	start(2);
	asker = workers;
	compare_all();
}

static void step(struct buf *wire, struct buf *stored)
{
	struct client *c = &clients[below(CLIENTS)];
	unsigned who = below(2), name = below(NAMES);

	asker = &workers[below(worker_count)];
	switch (below(13)) {
	case 12:
		if (below(3) == 0)
			check(!settle(addresses[who]), "a new generation fails");
		break;
	case 0:
		step_names(who, name);
		break;
	case 1:
		client_open(c);
		break;
	case 2:
	case 3:
	case 4:
		step_deliver(who, wire, stored);
		break;
	case 5:
	case 6:
		step_append(who, name, wire, stored);
		break;
	case 7:
	case 8:
		if (c->s)
			step_flags(c);
		break;
	case 9:
		if (c->s)
			step_copy(c);
		break;
	case 10:
		if (c->s)
			step_expunge(c);
		break;
	default:
		if (c->s)
			client_compare(c);
	}
}

static struct account *account_make(const char *address)
{
	struct account_change c = { .address = str_of(address), .password = STR("secret"), .create = true };

	got_begin();
	store_account_change(asker, &c, on_done, NULL);
	got_end();
	return log_in(address, "secret");
}

int main(int argc, char **argv)
{
	struct buf wire = { 0 }, stored = { 0 };
	unsigned long seed = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
	unsigned steps = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : STEPS;

	log_set_levels("error");
	random_state = seed;
	test_begin(2);
	accounts[0] = log_in(addresses[0], "secret");
	accounts[1] = account_make(addresses[1]);
	ok(accounts[0] && accounts[1], "two accounts");
	for (unsigned who = 0; who < 2; who++)
		for (unsigned name = 0; name < NAMES; name++)
			box_empty(&boxes[who][name]);
	for (unsigned i = 0; i < steps && failures < 20; i++)
		if (i % 130 == 129)
			step_restart();
		else
			step(&wire, &stored);
	step_restart();
	ok(!failures, "after %u random steps everything is as the model says (seed %lu)", steps, seed);
	for (unsigned who = 0; who < 2; who++) {
		for (unsigned name = 0; name < NAMES; name++)
			free(boxes[who][name].mails);
		account_free(accounts[who]);
	}
	buf_free(&wire);
	buf_free(&stored);
	test_end();
	return done();
}
