/* Senders of what is forwarded: rewritten, turned back for a while, and by nobody else's making. */
#include "storage/route/srs.h"
#include "core/buf.h"
#include "storage/mail/address.h"
#include "t/tap.h"

#define KEY  STR("0123456789abcdef0123456789abcdef")
#define OURS STR("ours.test")
#define NOW  ((int64_t)1795000000)
#define DAY  86400

static struct arena memory;

static struct str forward(struct str sender)
{
	struct str out = STR_NONE;

	return srs_forward(&memory, KEY, sender, OURS, NOW, &out) ? STR_NONE : out;
}

static struct str local_of(struct str address)
{
	return str_cut(address, 0, (size_t)str_rfind(address, '@'));
}

static enum err reverse_at(struct str local, int64_t now_s, struct str *out)
{
	*out = STR_NONE;
	return srs_reverse(&memory, KEY, local, now_s, out);
}

static bool comes_back(struct str sender)
{
	struct str there = forward(sender), back;

	if (there.len && !reverse_at(local_of(there), NOW, &back) && str_eq(back, sender))
		return true;
	printf("# " STR_FMT " became " STR_FMT "\n", STR_ARG(sender), STR_ARG(there));
	return false;
}

static void test_round(void)
{
	struct str there = forward(STR("alice@far.test"));

	ok(str_starts(there, STR("SRS0=")) && str_eq(str_cut(there, 14, there.len), STR("=far.test=alice@ours.test")),
		"a sender is rewritten: " STR_FMT, STR_ARG(there));
	ok(comes_back(STR("alice@far.test")), "and turned back");
	ok(comes_back(STR("Al.ice+detail@far.test")), "with its case of letters and its detail");
	ok(comes_back(STR("a=b=c@far.test")), "with equal signs in it");
	ok(comes_back(STR("\"a b\"@far.test")) && comes_back(STR("\"a\\\"@\\\\b\"@far.test")),
		"with quotes where they must be");
	ok(comes_back(STR("alice@[192.0.2.1]")) && comes_back(STR("alice@[IPv6:2001:db8::1]")),
		"from an address literal");
	ok(comes_back(STR("SRS1=x@far.test")) && comes_back(STR("SRS1=ab=no_host==x@far.test")) &&
			comes_back(STR("SRS1=ab=far.test=@far.test")),
		"that only looks as if it were rewritten");
	ok(comes_back(STR("j\303\266rg@b\303\274cher.test")), "with letters beyond ASCII");
}

static void test_case(void)
{
	struct str there = forward(STR("alice@far.test")), back;
	char upper[100], lower[100];
	struct str local = local_of(there);

	for (size_t i = 0; i < local.len; i++) {
		char c = local.p[i];

		upper[i] = (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
		lower[i] = ascii_lower(c);
	}
	ok(!reverse_at((struct str){ upper, local.len }, NOW, &back) && str_eq(back, STR("ALICE@far.test")),
		"one written in capitals on the way is turned back");
	ok(!reverse_at((struct str){ lower, local.len }, NOW, &back) && str_eq(back, STR("alice@far.test")),
		"and one in small letters");
}

static void test_forged(void)
{
	struct str local = local_of(forward(STR("alice@far.test"))), back;
	bool all = true;
	char forged[100];

	for (size_t i = 5; i < local.len; i++) {
		if (local.p[i] == '=')
			continue;
		memcpy(forged, local.p, local.len);
		forged[i] = forged[i] == 'x' ? 'y' : 'x';
		all &= reverse_at((struct str){ forged, local.len }, NOW, &back) == ERR_DENIED;
	}
	ok(all, "a letter changed anywhere is found");
	ok(srs_reverse(&memory, STR("another key"), local, NOW, &back) == ERR_DENIED, "and another's key");
	ok(reverse_at(STR("SRS0=aaaaaa=aa=far.test=alice"), NOW, &back) == ERR_DENIED, "and a guess");
	ok(reverse_at(STR("SRS0==aa=far.test=alice"), NOW, &back) == ERR_MISTAKE, "one without hash is none");
	ok(reverse_at(STR("SRS0=aaaa=aa=far.test=alice"), NOW, &back) == ERR_DENIED,
		"one of a shorter hash is not ours");
}

static void test_none(void)
{
	static const char *const none[] = { "alice", "", "SRS", "SRS0", "SRS0=", "SRS0=aaaaaa", "SRS0=aaaaaa=aa",
		"SRS0=aaaaaa=aa=far.test", "SRS0=aaaaaa=aa=far.test=", "SRS1=aaaaaa=far.test",
		"SRS2=aaaaaa=aa=far.test=a", "srs0-aaaaaa=aa=far.test=alice" };
	struct str back;

	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
		ok(reverse_at(str_of(none[i]), NOW, &back) == ERR_MISTAKE, "\"%s\" is none of these", none[i]);
}

static void test_time(void)
{
	struct str local = local_of(forward(STR("alice@far.test"))), back;

	ok(!reverse_at(local, NOW + (int64_t)SRS_DAYS * DAY, &back), "for %d days it is turned back", SRS_DAYS);
	ok(reverse_at(local, NOW + (int64_t)(SRS_DAYS + 1) * DAY, &back) == ERR_ABSENT, "and not for longer");
	ok(reverse_at(local, NOW - DAY, &back) == ERR_ABSENT, "nor before it was made");
	ok(reverse_at(local, NOW + (int64_t)500 * DAY, &back) == ERR_ABSENT, "nor after years");
}

static void test_chain(void)
{
	struct str there = forward(STR("SRS0=abcd=ef=first.test=alice@second.test")), back, again;

	ok(str_starts(there, STR("SRS1=")) &&
			str_eq(str_cut(there, 11, there.len), STR("=second.test==abcd=ef=first.test=alice@ours.test")),
		"what another forwarder rewrote names him: " STR_FMT, STR_ARG(there));
	ok(!reverse_at(local_of(there), NOW, &back) && str_eq(back, STR("SRS0=abcd=ef=first.test=alice@second.test")),
		"and goes back to him");
	there = forward(STR("SRS0+abcd=ef=first.test=alice@second.test"));
	ok(!reverse_at(local_of(there), NOW, &back) && str_eq(back, STR("SRS0+abcd=ef=first.test=alice@second.test")),
		"with the separator that he uses");
	again = forward(STR("SRS1=wxyz=second.test==abcd=ef=first.test=al@third.test"));
	ok(!reverse_at(local_of(again), NOW, &back) && str_eq(back, STR("SRS0=abcd=ef=first.test=al@second.test")),
		"what was rewritten twice goes back to the first who did");
	ok(!reverse_at(local_of(there), NOW + (int64_t)365 * DAY, &back), "it has no time of ours");
	there = forward(STR("alice@far.test"));
	ok(str_eq(forward(there), there), "what is ours already stays");
}

static void test_long(void)
{
	struct str out;

	ok(srs_forward(&memory, KEY, STR("a-name-of-thirty-letters-or-so@domain-as-long-as-that.test"), OURS, NOW,
		   &out) == ERR_TOO_BIG,
		"one that would be too long for a mailbox is said to be");
	ok(srs_forward(&memory, KEY, STR("nonsense"), OURS, NOW, &out) == ERR_MISTAKE, "and what is no address");
	ok(srs_forward(&memory, KEY, STR("\"\"@far.test"), OURS, NOW, &out) == ERR_MISTAKE, "or has no name in it");
}

int main(void)
{
	test_round();
	test_case();
	test_forged();
	test_none();
	test_time();
	test_chain();
	test_long();
	arena_free(&memory);
	return done();
}
