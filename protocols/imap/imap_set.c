/* imap_set.c - see imap_set.h. */
#include "protocols/imap/imap_set.h"
#include <stdlib.h>

static uint32_t set_number(struct args *a)
{
	uint32_t number;

	if (args_try(a, '*'))
		return UINT32_MAX;
	number = args_number(a);
	if (!number || number == UINT32_MAX)
		args_wrong(a);
	return number;
}

void args_set(struct args *a, struct set *set)
{
	size_t room = 1;

	for (size_t i = 0; i < a->left.len && a->left.p[i] != ' '; i++)
		room += a->left.p[i] == ',';
	*set = (struct set){ 0 };
	if (a->bad || room > SET_RANGES_MAX) {
		args_wrong(a);
		return;
	}
	set->ranges = arena_alloc(a->arena, room * sizeof(*set->ranges));
	do {
		struct uid_range r;

		r.first = r.last = set_number(a);
		if (args_try(a, ':'))
			r.last = set_number(a);
		if (r.first > r.last) /* RFC 3501, 9: 4:2 is 2:4 */
			r = (struct uid_range){ r.last, r.first };
		if (!a->bad)
			set->ranges[set->count++] = r;
	} while (args_try(a, ','));
	if (a->bad)
		set->count = 0;
}

static int by_first(const void *a, const void *b)
{
	const struct uid_range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

void set_join(struct set *set)
{
	size_t kept = 0;

	if (!set->count)
		return;
	qsort(set->ranges, set->count, sizeof(*set->ranges), by_first);
	for (size_t i = 1; i < set->count; i++) {
		struct uid_range *last = &set->ranges[kept], *r = &set->ranges[i];

		if (last->last == UINT32_MAX || r->first <= last->last + 1) {
			if (r->last > last->last)
				last->last = r->last;
		} else {
			set->ranges[++kept] = *r;
		}
	}
	set->count = kept + 1;
}

void set_settle(struct set *set, uint32_t last)
{
	for (size_t i = 0; i < set->count; i++) {
		struct uid_range *r = &set->ranges[i];

		if (r->last != UINT32_MAX)
			continue;
		r->last = last;
		if (r->first > last)
			r->first = last;
	}
	set_join(set);
}

bool set_holds(const struct set *set, uint32_t number)
{
	size_t low = 0, high = set->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (set->ranges[middle].last < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < set->count && set->ranges[low].first <= number;
}
