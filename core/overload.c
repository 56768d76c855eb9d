/* overload.c - see overload.h. What yields stands in the worker's slot, a bit each, for everybody to read. */
#include "core/overload.h"
#include "core/counter.h"
#include "core/log.h"
#include "core/worker.h"

#define WINDOW_US 1000000 /* the average is over about so long: one long turn is no overload */
#define LOOK_US   20000   /* between looks */
#define HOLD_US   1000000 /* what yields does so for at least so long */
#define LAG_MAX   "10s"

#define ROW(name, def, what, text)                                                                                     \
	{                                                                                                              \
		name, SETTING_DURATION, def, "0s", LAG_MAX, offsetof(struct overload_conf, lag_ms[what]), text, 0      \
	}

static const struct setting rows[] = {
	ROW("background", "50ms", OVERLOAD_BACKGROUND,
		"Lag from which mailboxes are not written anew, nor what was deleted is unlinked; 0s: never."),
	ROW("outbound", "100ms", OVERLOAD_OUTBOUND, "Lag from which mail that leaves waits; 0s: never."),
	ROW("strangers", "200ms", OVERLOAD_STRANGERS,
		"Lag from which mail by SMTP is put off (421, 451), but for who logged in or is of relay.networks; 0s: "
		"never."),
	{ 0 },
};

const struct settings overload_settings = { "overload", false, sizeof(struct overload_conf), rows,
	"What waits while a worker is too busy, told by how long what comes has to wait for it.", NULL };

COUNTER(background, "overload.background", "times that background work began to yield");
COUNTER(outbound, "overload.outbound", "times that mail that leaves began to yield");
COUNTER(strangers, "overload.strangers", "times that mail from strangers began to yield");

static const struct {
	const char *name;
	const struct counter *counter;
} kinds[OVERLOADS] = {
	[OVERLOAD_BACKGROUND] = { "background", &background },
	[OVERLOAD_OUTBOUND] = { "outbound", &outbound },
	[OVERLOAD_STRANGERS] = { "strangers", &strangers },
};

static struct slot *own_slot(const struct worker *w)
{
	return shm_slot(w->shm, w->slot);
}

const char *overload_name(enum overload what)
{
	return kinds[what].name;
}

bool overloaded(const struct worker *w, enum overload what)
{
	return own_slot(w)->overload & 1u << what;
}

void strain_add(struct strain *s, int64_t lag_us, int64_t lasted_us)
{
	s->lag_us += ((double)lag_us - s->lag_us) * (double)lasted_us / (double)(lasted_us + WINDOW_US);
}

static void begin(struct strain *s, struct worker *w, enum overload what, int64_t lag_us, int64_t now_us)
{
	own_slot(w)->overload |= 1u << what;
	s->since_us[what] = now_us;
	counter_add(kinds[what].counter, 1);
	log_warn("overload", NULL, "yields from now on work=%s slot=%u lag_ms=%lld", kinds[what].name, w->slot,
		(long long)lag_us / 1000);
}

static void end(struct strain *s, struct worker *w, enum overload what, int64_t lag_us, int64_t now_us)
{
	own_slot(w)->overload &= ~(1u << what);
	log_info("overload", NULL, "yields no more work=%s slot=%u lag_ms=%lld lasted_ms=%lld", kinds[what].name,
		w->slot, (long long)lag_us / 1000, (long long)(now_us - s->since_us[what]) / 1000);
}

void strain_look(struct strain *s, struct worker *w, int64_t now_us)
{
	const struct overload_conf *conf;
	const struct slot *slot = own_slot(w);
	int64_t lag_us = slot->pretended_us ? slot->pretended_us : (int64_t)s->lag_us;

	if (now_us - s->looked_us < LOOK_US || !w->conf)
		return;
	s->looked_us = now_us;
	conf = conf_section(w->conf, &overload_settings);
	for (unsigned i = 0; i < OVERLOADS; i++) {
		enum overload what = (enum overload)i;
		int64_t from_us = conf->lag_ms[i] * 1000;

		if (!overloaded(w, what)) {
			if (from_us && lag_us >= from_us)
				begin(s, w, what, lag_us, now_us);
		} else if (!from_us || (lag_us < from_us / 2 && now_us - s->since_us[i] >= HOLD_US)) {
			end(s, w, what, lag_us, now_us);
		}
	}
}
