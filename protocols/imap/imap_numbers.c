/* imap_numbers.c - sets of messages: from what a client wrote to ranges of what it knows (RFC 3501, 6.4.8 and 9). */
#include "protocols/imap/imap_session.h"

/* A range of UIDs as sequence numbers; first > last: it holds none. */
static struct uid_range seqs_of_uids(struct imap *s, struct uid_range uids, uint32_t exists)
{
	struct uid_range r = { 1, 0 };
	struct message m;

	if (!exists)
		return r;
	if (uids.last == UINT32_MAX) { /* n:* holds the last message, even if n is greater */
		selected_message(s->mailbox, exists, &m);
		uids.last = m.uid;
		if (uids.first > m.uid)
			uids.first = m.uid;
	}
	r.first = selected_seq_from(s->mailbox, uids.first);
	r.last = uids.last == UINT32_MAX ? exists : selected_seq_from(s->mailbox, uids.last + 1) - 1;
	return r;
}

bool imap_seqs(struct imap *s, const struct set *set, struct set *seqs)
{
	uint32_t exists = selected_exists(s->mailbox);
	bool uid = s->command->besides & IS_UID;

	seqs->count = 0;
	seqs->ranges = arena_alloc(&s->work->arena, (set->count + 1) * sizeof(*seqs->ranges));
	for (size_t i = 0; i < set->count; i++) {
		struct uid_range r = set->ranges[i];

		if (uid) {
			r = seqs_of_uids(s, r, exists);
		} else {
			if (r.first == UINT32_MAX)
				r.first = exists;
			if (r.last == UINT32_MAX)
				r.last = exists > r.first ? exists : r.first;
			if (r.first < 1 || r.last > exists)
				return false;
		}
		if (r.first <= r.last)
			seqs->ranges[seqs->count++] = r;
	}
	set_join(seqs);
	return true;
}

struct set imap_uids(struct imap *s, const struct set *seqs)
{
	struct set uids = { arena_alloc(&s->work->arena, (seqs->count + 1) * sizeof(*uids.ranges)), seqs->count };

	for (size_t i = 0; i < seqs->count; i++) {
		struct message first, last;

		selected_message(s->mailbox, seqs->ranges[i].first, &first);
		selected_message(s->mailbox, seqs->ranges[i].last, &last);
		uids.ranges[i] = (struct uid_range){ first.uid, last.uid };
	}
	return uids;
}

bool imap_take_set(struct imap *s, struct args *a, struct set *seqs, enum next *next)
{
	struct set set = { 0 };

	args_space(a);
	args_set(a, &set);
	if (a->bad)
		*next = imap_bad(s, "%s wants a set of messages", s->command->word);
	else if (!imap_seqs(s, &set, seqs))
		*next = imap_bad(s, "there are only %u messages", selected_exists(s->mailbox));
	else
		return true;
	return false;
}

uint64_t imap_count(const struct set *set)
{
	uint64_t count = 0;

	for (size_t i = 0; i < set->count; i++)
		count += (uint64_t)set->ranges[i].last - set->ranges[i].first + 1;
	return count;
}

void imap_message(const struct imap *s, uint32_t seq, struct message *m)
{
	selected_message(s->mailbox, seq, m);
	imap_seen_mend(s, m);
}
