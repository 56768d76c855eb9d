/* store.h - a store in a directory of its own, with its workers turned by hand in one thread: what tests of the store
 * need. Each question is asked and waited for; what was answered is in `got`. */
#ifndef T_STORE_H
#define T_STORE_H

#include "core/arena.h"
#include "core/core_settings.h"
#include "core/counter.h"
#include "core/house.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "storage/account/login.h"
#include "storage/account/password.h"
#include "storage/queue/queue.h"
#include "storage/route/domain.h"
#include "storage/route/next_hop.h"
#include "storage/route/relay.h"
#include "storage/route/rewrite.h"
#include "storage/store.h"
#include "t/scratch.h"
#include "t/tap.h"
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>

#define WAIT_LIMIT_S 60

extern const struct settings journal_settings;
static const struct settings *const test_settings[] = { &core_settings, &login_settings, &store_settings,
	&domain_settings, &rewrite_settings, &route_settings, &relay_settings, &journal_settings, &queue_settings,
	NULL };
static const struct call_type *const test_calls[] = { store_calls, NULL };
const struct house house = { .settings = test_settings, .calls = test_calls };

static struct worker workers[4];
static unsigned worker_count;
static struct shm *shm;
static struct conf *conf;
static int store_fd, lanes_fd[4];

/* --- the loop -------------------------------------------------------------------------------------------------------- */

static void drain(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0)
		return;
}

static bool turn_worker(struct worker *w)
{
	timers_turn(w->timers);
	drain(shm_wake_fd(shm, w->slot));
	drain(lanes_fd[w->slot]);
	lane_collect(w->journal);
	lane_collect(w->sync);
	lane_collect(w->files);
	lane_collect(w->index);
	lane_collect(w->slow);
	timers_run(w->timers);
	calls_turn(w->calls);
	chores_run(w->chores, 0);
	return timers_next_ms(w->timers) && !chores_wait(w->chores) && calls_sleep(w->calls);
}

static void turn(void)
{
	struct pollfd fds[8];
	bool idle = true;

	for (unsigned i = 0; i < worker_count; i++) {
		idle &= turn_worker(&workers[i]);
		fds[2 * i] = (struct pollfd){ shm_wake_fd(shm, i), POLLIN, 0 };
		fds[2 * i + 1] = (struct pollfd){ lanes_fd[i], POLLIN, 0 };
	}
	poll(fds, 2 * worker_count, idle ? 5 : 0);
}

static void wait_for(const bool *flag)
{
	time_t end = time(NULL) + WAIT_LIMIT_S;

	while (!*flag) {
		turn();
		if (time(NULL) > end) {
			printf("Bail out! waited for %d seconds\n", WAIT_LIMIT_S);
			abort();
		}
	}
}

__attribute__((unused)) static void turn_for(unsigned ms)
{
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		turn();
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < ms);
}

/* For what comes of itself, soon, and on a busy machine later. */
#define TURN_UNTIL(condition)                                                                                          \
	for (unsigned turns_ = 0; !(condition) && turns_ < 500; turns_++)                                              \
	turn_for(10)

/* --- start and stop ---------------------------------------------------------------------------------------------------- */

static void conf_make(void)
{
	static const char *const values[][3] = {
		{ "login", "hash", "cheap" },
		{ "journal", "segment", "4M" },
		{ "journal", "size", "16M" },
		{ "journal", "reserve", "0" },
		{ "store", "shards", "8" },
	};
	struct buf why = { 0 };

	conf = conf_new(test_settings);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (!conf_set(conf, values[i][0], NULL, values[i][1], values[i][2], &why))
			printf("# " STR_FMT "\n", STR_ARG(buf_str(&why)));
	conf_add_title(conf, "domain", "example.test", &why);
	buf_free(&why);
}

static void worker_begin(unsigned slot)
{
	struct worker *w = &workers[slot];

	*w = (struct worker){ .shm = shm, .slot = slot, .workers = worker_count, .conf = conf, .directory = store_fd };
	lanes_fd[slot] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->timers = timers_new();
	w->chores = chores_new();
	w->journal = lane_new("journal", lanes_fd[slot]);
	w->sync = lane_new("sync", lanes_fd[slot]);
	w->files = lane_new("files", lanes_fd[slot]);
	w->index = lane_new("index", lanes_fd[slot]);
	w->slow = lane_new("slow", lanes_fd[slot]);
	w->calls = calls_new(w);
	if (store_start(w)) {
		printf("Bail out! the store does not start\n");
		abort();
	}
}

static void worker_end(struct worker *w)
{
	calls_free(w->calls);
	lane_free(w->journal);
	lane_free(w->sync);
	lane_free(w->files);
	lane_free(w->index);
	lane_free(w->slow);
	chores_free(w->chores);
	timers_free(w->timers);
	close(lanes_fd[w->slot]);
}

static void start(unsigned count)
{
	worker_count = count;
	if (!shm)
		shm = shm_new(count, counter_count());
	for (unsigned i = 0; i < count; i++)
		atomic_fetch_add(&shm_slot(shm, i)->generation, 1);
	counter_use(shm_counters(shm, 0));
	if (store_recover(conf, store_fd)) {
		printf("Bail out! the store cannot be recovered\n");
		abort();
	}
	for (unsigned i = 0; i < count; i++)
		worker_begin(i);
}

static bool stopped[4];

static void on_stopped(struct worker *w)
{
	stopped[w->slot] = true;
}

static void stop(void)
{
	for (unsigned i = 0; i < worker_count; i++) {
		stopped[i] = false;
		store_stop(&workers[i], on_stopped);
		wait_for(&stopped[i]);
	}
	for (unsigned i = 0; i < worker_count; i++)
		worker_end(&workers[i]);
	counter_use(NULL);
}

/* The store is made, with an account alice@example.test, whose password is "secret". */
static void test_begin(unsigned count)
{
	struct account_settings settings = { 0 };
	struct arena a = { 0 };

	store_fd = scratch_open();
	conf_make();
	if (store_fd < 0 || mkdirat(store_fd, "run", 0700) || mkdirat(store_fd, "run/tmp", 0700) ||
		domain_write(store_fd, STR("example.test")) ||
		password_hash(STR("secret"), HASH_CHEAP, &a, &settings.password) ||
		account_write(store_fd, STR("alice@example.test"), &settings)) {
		printf("Bail out! the store cannot be made\n");
		abort();
	}
	arena_free(&a);
	start(count);
}

__attribute__((unused)) static void test_end(void)
{
	stop();
	conf_unref(conf);
	scratch_close(store_fd);
}

/* --- asking ------------------------------------------------------------------------------------------------------------ */

static struct {
	bool done;
	enum err e;
	struct account *account;
	struct selected *selected;
	struct mailbox_status status;
	uint32_t uidvalidity, uid;
	struct buf text; /* names, UIDs, whatever else there is to say */
} got;

static struct worker *asker = workers; /* whose worker the questions are asked in */

static void got_begin(void)
{
	got.done = false;
	got.e = OK;
	buf_clear(&got.text);
}

static enum err got_end(void)
{
	wait_for(&got.done);
	return got.e;
}

__attribute__((unused)) static bool got_text(const char *text)
{
	if (str_eq(buf_str(&got.text), str_of(text)))
		return true;
	printf("# got \"" STR_FMT "\"\n", STR_ARG(buf_str(&got.text)));
	return false;
}

static void on_done(void *user, enum err e)
{
	(void)user;
	got.e = e;
	got.done = true;
}

static void on_login(void *user, enum err e, struct account *a)
{
	got.account = a;
	on_done(user, e);
}

__attribute__((unused)) static struct account *log_in(const char *address, const char *password)
{
	got_begin();
	store_login(asker, str_of(address), str_of(password), on_login, NULL);
	got_end();
	return got.account;
}

static void on_recipient(void *user, enum err e, struct str canonical)
{
	buf_add_str(&got.text, canonical);
	on_done(user, e);
}

__attribute__((unused)) static enum err recipient(const char *address)
{
	got_begin();
	store_recipient(asker, str_of(address), 0, on_recipient, NULL);
	return got_end();
}

static struct draft *draft_of(struct str wire)
{
	struct draft *d = draft_new(asker, FORM_NORMALISE, 1 << 30);

	for (size_t at = 0; at < wire.len;) { /* in pieces, as from the wire */
		size_t len = wire.len - at < 65536 ? wire.len - at : 65536;

		draft_feed(d, str_cut(wire, at, at + len));
		at += len;
		if (draft_is_behind(d))
			turn();
	}
	got_begin();
	draft_end(d, on_done, NULL);
	if (got_end())
		printf("# the draft failed: %s\n", err_text(got.e));
	return d;
}

static void on_delivered(void *user, enum err e, uint32_t uid)
{
	got.uid = uid;
	on_done(user, e);
}

__attribute__((unused)) static enum err deliver_named(const char *to, struct str wire, struct name name)
{
	struct delivery d = { str_of(to), STR("bob@example.test"), STR("Return-Path: <bob@example.test>\n"),
		draft_of(wire), name, false };

	got_begin();
	store_deliver(asker, &d, on_delivered, NULL);
	got_end();
	draft_free(d.draft);
	return got.e;
}

__attribute__((unused)) static enum err deliver(const char *to, const char *text)
{
	return deliver_named(to, str_of(text), name_next(asker));
}

static void on_append(void *user, enum err e, uint32_t uidvalidity, uint32_t uid)
{
	got.uidvalidity = uidvalidity;
	got.uid = uid;
	on_done(user, e);
}

__attribute__((unused)) static enum err append(const struct account *a, const char *mailbox, struct str wire,
	uint32_t flags, const char *keyword, int64_t date)
{
	struct str word = str_of(keyword);
	struct append ap = { draft_of(wire), { flags, &word, keyword != NULL }, date };

	got_begin();
	store_append(asker, a, str_of(mailbox), &ap, 1, on_append, NULL);
	got_end();
	draft_free(ap.draft);
	return got.e;
}

static void on_select(void *user, enum err e, struct selected *s)
{
	got.selected = s;
	on_done(user, e);
}

__attribute__((unused)) static struct selected *select_mailbox(const struct account *a, const char *mailbox, bool claim)
{
	got_begin();
	store_select(asker, a, str_of(mailbox), claim, on_select, NULL);
	got_end();
	return got.selected;
}

static void on_status(void *user, enum err e, const struct mailbox_status *s)
{
	if (s)
		got.status = *s;
	on_done(user, e);
}

__attribute__((unused)) static enum err status(const struct account *a, const char *mailbox)
{
	got_begin();
	store_status(asker, a, str_of(mailbox), on_status, NULL);
	return got_end();
}

static void on_list(void *user, enum err e, const struct mailbox_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_printf(&got.text, "%s" STR_FMT "%s%s%s", i ? " " : "", STR_ARG(entries[i].name),
			entries[i].exists ? "" : "(level)", entries[i].has_children ? "/" : "",
			entries[i].subscribed ? "*" : "");
	on_done(user, e);
}

/* Names in a row: "a(level)/ a/b*" is a level without a mailbox, and a mailbox that is subscribed. */
__attribute__((unused)) static enum err list(const struct account *a)
{
	got_begin();
	store_list(asker, a, on_list, NULL);
	return got_end();
}

__attribute__((unused)) static enum err create(const struct account *a, const char *mailbox)
{
	got_begin();
	store_create(asker, a, str_of(mailbox), 0, on_done, NULL);
	return got_end();
}

__attribute__((unused)) static enum err delete_mailbox(const struct account *a, const char *mailbox)
{
	got_begin();
	store_delete(asker, a, str_of(mailbox), on_done, NULL);
	return got_end();
}

__attribute__((unused)) static enum err rename_mailbox(const struct account *a, const char *from, const char *to)
{
	got_begin();
	store_rename(asker, a, str_of(from), str_of(to), on_done, NULL);
	return got_end();
}

__attribute__((unused)) static enum err subscribe(const struct account *a, const char *mailbox, bool subscribed)
{
	got_begin();
	store_subscribe(asker, a, str_of(mailbox), subscribed, on_done, NULL);
	return got_end();
}

__attribute__((unused)) static enum err change_flags(const struct account *a, struct selected *s, uint32_t first,
	uint32_t last, enum flags_how how, uint32_t flags, const char *keyword)
{
	struct str word = str_of(keyword);
	struct flag_words words = { flags, &word, keyword != NULL };
	struct uid_range uids = { first, last };

	got_begin();
	store_flags(asker, a, s, &uids, 1, how, &words, on_done, NULL);
	return got_end();
}

__attribute__((unused)) static enum err expunge(const struct account *a, struct selected *s)
{
	got_begin();
	store_expunge(asker, a, s, NULL, 0, false, on_done, NULL);
	return got_end();
}

static void on_copy(void *user, enum err e, const struct copied *c)
{
	if (c) {
		for (size_t i = 0; i < c->from_count; i++)
			buf_printf(&got.text, "%s%u:%u", i ? "," : "", c->from[i].first, c->from[i].last);
		for (size_t i = 0; i < c->to_count; i++)
			buf_printf(&got.text, "%s%u:%u", i ? "," : " ", c->to[i].first, c->to[i].last);
	}
	on_done(user, e);
}

__attribute__((unused)) static enum err copy(
	const struct account *a, struct selected *s, uint32_t first, uint32_t last, const char *mailbox, bool move)
{
	struct uid_range uids = { first, last };

	got_begin();
	store_copy(asker, a, s, &uids, 1, str_of(mailbox), move, on_copy, NULL);
	return got_end();
}

__attribute__((unused)) static enum err settle(const char *address)
{
	got_begin();
	store_settle(asker, str_of(address), on_done, NULL);
	return got_end();
}

/* --- what a client sees -------------------------------------------------------------------------------------------------- */

static void on_bytes(void *user, enum err e, struct str answer)
{
	buf_add_str(&got.text, answer);
	on_done(user, e);
}

/* The stored bytes of a message, by its sequence number. */
__attribute__((unused)) static struct str read_message(struct selected *s, uint32_t seq)
{
	struct message m;

	selected_message(s, seq, &m);
	got_begin();
	if (selected_read_now(s, &m, 0, m.stored, &got.text))
		return buf_str(&got.text);
	selected_read(s, &m, 0, m.stored, on_bytes, NULL);
	if (got_end())
		printf("# uid %u cannot be read: %s\n", m.uid, err_text(got.e));
	return buf_str(&got.text);
}

static struct buf news_text;

static void news_add(const char *fmt, ...)
{
	va_list ap;

	if (buf_len(&news_text))
		buf_add_char(&news_text, ' ');
	va_start(ap, fmt);
	buf_vprintf(&news_text, fmt, ap);
	va_end(ap);
}

static void on_expunge(void *user, uint32_t seq)
{
	(void)user;
	news_add("-%u", seq);
}

static void on_exists(void *user, uint32_t exists, uint32_t recent)
{
	(void)user, (void)recent;
	news_add("=%u", exists);
}

static void on_flags(void *user, uint32_t seq, const struct message *m)
{
	(void)user;
	news_add("%u:%x", seq, m->flags);
}

static void on_keywords(void *user)
{
	(void)user;
	news_add("words");
}

static void sync_session(struct selected *s, bool may_expunge)
{
	static const struct selected_news news = { on_expunge, on_exists, on_flags, on_keywords };

	selected_sync(s, may_expunge, &news, NULL);
}

/* What a sync tells: "-3" is an expunge, "=5" exists, "2:1" new flags. */
__attribute__((unused)) static bool sync_tells(struct selected *s, bool may_expunge, const char *text)
{
	buf_clear(&news_text);
	sync_session(s, may_expunge);
	if (str_eq(buf_str(&news_text), str_of(text)))
		return true;
	printf("# told \"" STR_FMT "\"\n", STR_ARG(buf_str(&news_text)));
	return false;
}

/* The same for what another worker must be asked for first. */
__attribute__((unused)) static bool soon_tells(struct selected *s, const char *text)
{
	buf_clear(&news_text);
	TURN_UNTIL((sync_session(s, true), str_eq(buf_str(&news_text), str_of(text))));
	return sync_tells(s, true, "");
}

#endif
