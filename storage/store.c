/* store.c - the store in one worker: its settings, its start and stop, the table of its calls. */
#include "storage/store.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/account/login.h"
#include "storage/deleted.h"
#include "storage/journal/apply.h"
#include "storage/journal/copied.h"
#include "storage/mailbox/mailbox.h"
#include "storage/path.h"
#include "storage/shared.h"
#include "storage/spool.h"
#include <assert.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <sys/random.h>

#define STOP_LOOK_MS 20

/* --- settings ------------------------------------------------------------------------------------------------------ */

static const struct setting store_rows[] = {
	{ "shards", SETTING_NUMBER, "64", "1", "4096", offsetof(struct store_conf, shards),
		"Accounts are spread over so many shards, each with an index and an owner of its own.",
		SETTING_RESTART },
	{ "index_cache", SETTING_SIZE, "16M", "1M", "64G", offsetof(struct store_conf, index_cache),
		"Memory of a worker for blocks read from its indexes.", SETTING_RESTART },
	{ "index_buffers", SETTING_SIZE, "8M", "256K", "64G", offsetof(struct store_conf, index_buffers),
		"Memory of a worker for what was put into its indexes and is not yet in their files.",
		SETTING_RESTART },
	{ "open_indexes", SETTING_NUMBER, "64", "2", "4096", offsetof(struct store_conf, open_indexes),
		"Indexes, of which each shard has one, that a worker keeps open; fewer where it may have few "
		"descriptors (RLIMIT_NOFILE).",
		SETTING_RESTART },
	{ "open_accounts", SETTING_NUMBER, "10000", "10", "10000000", offsetof(struct store_conf, open_accounts),
		"Accounts that a worker keeps in memory; those in use always stay.", 0 },
	{ "open_mailboxes", SETTING_NUMBER, "1000", "10", "1000000", offsetof(struct store_conf, open_mailboxes),
		"Mailboxes that a worker keeps in memory; those in use always stay.", 0 },
	{ "mailboxes_per_account", SETTING_NUMBER, "10000", "1", "100000",
		offsetof(struct store_conf, mailboxes_per_account),
		"How many mailboxes an account may have, and how many names it may subscribe to.", 0 },
	{ "mailbox_name_max", SETTING_NUMBER, "600", "20", "600", offsetof(struct store_conf, mailbox_name_max),
		"Bytes of the name of a new mailbox, in UTF-8, all its levels together; a level has at most 200.", 0 },
	{ "mailbox_depth_max", SETTING_NUMBER, "20", "1", "20", offsetof(struct store_conf, mailbox_depth_max),
		"Levels of the name of a new mailbox.", 0 },
	{ "special_use", SETTING_LIST, "Archive=archive Drafts=drafts Junk=junk Sent=sent Trash=trash", NULL, NULL,
		offsetof(struct store_conf, special_use),
		"What mailboxes are for by their names, where none was made for that use: NAME=USE, the first that is "
		"there.",
		0 },
	{ "new_mailboxes", SETTING_LIST, "", NULL, NULL, offsetof(struct store_conf, new_mailboxes),
		"Mailboxes that each account is given, and subscribed to, once: such as { \"Drafts\", \"Sent\" }.", 0 },
	{ "format", SETTING_CHOICE, "mbox", NULL, "mbox|mdir", offsetof(struct store_conf, format),
		"What new mailboxes are: an mbox is one file, an mdir a folder with a file for each message, for large "
		"ones. `postern mailbox convert` makes one of the other.",
		0 },
	{ "compact_share", SETTING_NUMBER, "40", "5", "100", offsetof(struct store_conf, compact_share),
		"A mailbox is written anew when so many percent of its file belong to expunged messages.", 0 },
	{ "lock_mailboxes", SETTING_BOOL, "yes", NULL, NULL, offsetof(struct store_conf, lock_mailboxes),
		"An mbox is locked (fcntl) while it is written to, for other programs write to it as well; what comes "
		"while "
		"one of them has it locked waits.",
		0 },
	{ "dot_locks", SETTING_BOOL, "no", NULL, NULL, offsetof(struct store_conf, dot_locks),
		"With lock_mailboxes the file INBOX.mbox.lock is made, too, for programs with no other lock. "
		"Theirs are heeded without this as well.",
		0 },
	{ 0 },
};

static bool store_check(const void *values, const char *title, struct buf *why)
{
	const struct store_conf *conf = values;
	bool good = special_use_check(&conf->special_use, why);

	(void)title;
	return new_mailboxes_check(&conf->new_mailboxes, why) && good;
}

const struct settings store_settings = { .section = "store",
	.size = sizeof(struct store_conf),
	.rows = store_rows,
	.text = "How mail is kept.",
	.check = store_check };

/* --- calls --------------------------------------------------------------------------------------------------------- */

const struct call_type store_calls[] = {
	[CALL_LOGIN] = { "login", login_handle },
	[CALL_SALT] = { "salt", salt_handle },
	[CALL_PROOF] = { "proof", proof_handle },
	[CALL_KNOWN] = { "known", known_handle },
	[CALL_RECIPIENT] = { "recipient", recipient_handle },
	[CALL_ADMIN] = { "admin", admin_handle },
	[CALL_DELIVER] = { "deliver", deliver_handle },
	[CALL_STATUS] = { "status", status_handle },
	[CALL_LIST] = { "list", list_handle },
	[CALL_CREATE] = { "create", create_handle },
	[CALL_DELETE] = { "delete", delete_handle },
	[CALL_RENAME] = { "rename", rename_handle },
	[CALL_SUBSCRIBE] = { "subscribe", subscribe_handle },
	[CALL_SELECT] = { "select", select_handle },
	[CALL_APPEND] = { "append", append_handle },
	[CALL_FLAGS] = { "flags", flags_handle },
	[CALL_EXPUNGE] = { "expunge", expunge_handle },
	[CALL_COPY] = { "copy", copy_handle },
	[CALL_DOMAIN_ADD] = { "domain-add", domain_add_handle },
	[CALL_DOMAIN_DELETE] = { "domain-delete", domain_delete_handle },
	[CALL_DOMAIN_LIST] = { "domain-list", domain_list_handle },
	[CALL_ACCOUNT_CHANGE] = { "account-change", account_change_handle },
	[CALL_ACCOUNT_DELETE] = { "account-delete", account_delete_handle },
	[CALL_ACCOUNT_LIST] = { "account-list", account_list_handle },
	[CALL_NAME] = { "name", name_handle },
	[CALL_NAME_CHANGE] = { "name-change", name_change_handle },
	[CALL_SETTLE] = { "settle", settle_handle },
	[CALL_CONVERT] = { "convert", convert_handle },
	[CALL_LOOK] = { "look", look_handle },
	[CALL_BACKUP] = { "backup", backup_handle },
	[CALL_BACKUP_WORKER] = { "backup-worker", backup_worker_handle },
	[CALL_RESTORE_ACCOUNT] = { "restore-account", restore_account_handle },
	[CALL_RESTORE_MAILBOX] = { "restore-mailbox", restore_mailbox_handle },
	[CALL_RESTORE_MESSAGE] = { "restore-message", restore_message_handle },
	[CALL_LOOK_WORKER] = { "look-worker", look_worker_handle },
	[CALL_QUOTA] = { "quota", quota_handle },
	[CALL_QUOTA_CHANGE] = { "quota change", quota_change_handle },
	[EVENT_FORGET] = { "forget", forget_handle },
	[EVENT_UNWATCH] = { "unwatch", unwatch_handle },
	[EVENT_SLEEP] = { "sleep", sleep_handle },
	[EVENT_REREAD] = { "reread", reread_handle },
	[EVENT_CHANGED] = { "changed", changed_handle },
	[EVENT_CHANGED + 1] = { 0 },
};

void store_secret(const struct worker *w, const char *purpose, uint8_t key[SECRET_BYTES])
{
	secret_for(w->store->secret, purpose, key);
}

unsigned store_owner(const struct store *st, struct str address)
{
	return shard_of(address, st->shards) % st->w->workers;
}

int64_t store_seconds(const struct store *st)
{
	return worker_wall_ms(st->w) / 1000;
}

/* --- start and stop ------------------------------------------------------------------------------------------------- */

static void conf_take(struct store *st)
{
	conf_unref(st->conf);
	st->conf = conf_ref(st->w->conf);
	st->settings = conf_section(st->conf, &store_settings);
	st->login = conf_section(st->conf, &login_settings);
}

static void lanes_drain(const struct worker *w)
{
	do {
		lane_drain(w->files);
		lane_drain(w->index);
		lane_drain(w->slow);
	} while (lane_depth(w->files) || lane_depth(w->index));
}

static void store_free(struct store *st)
{
	foreign_stop(st);
	index_rest_stop(st);
	journal_free(st->journal);
	lanes_drain(st->w);
	mailboxes_free(st);
	lanes_drain(st->w);
	timer_stop(st->w->timers, &st->news_timer);
	seeings_drop(st);
	timer_stop(st->w->timers, &st->put_timer);
	holdings_free(st);
	domains_free(st);
	admins_free(st);
	forgets_free(st->forgets);
	shareds_free(st->shareds);
	dormants_free(st->dormants);
	sleepers_free(st);
	deleted_stop(st->deleted);
	free(st->rest);
	index_free(st->index);
	conf_unref(st->conf);
	free(st->lives);
	st->w->store = NULL;
	slab_end(&st->mailbox_slab);
	slab_end(&st->holding_slab);
	free(st);
}

enum err store_start(struct worker *w)
{
	struct store *st = mem_new(struct store);
	struct index_limits limits;
	enum err e;

	st->w = w;
	st->holding_slab.size = sizeof(struct holding);
	st->mailbox_slab.size = sizeof(struct mailbox);
	w->store = st;
	conf_take(st);
	limits = (struct index_limits){ (size_t)st->settings->index_cache, (size_t)st->settings->index_buffers,
		(unsigned)st->settings->open_indexes };
	st->shards = (unsigned)st->settings->shards;
	st->lives = mem_alloc(w->workers * sizeof(*st->lives));
	while (!st->serial)
		if (getrandom(&st->serial, sizeof(st->serial), 0) != sizeof(st->serial))
			st->serial = 0;
	RAND_bytes(st->login_key, sizeof(st->login_key));
	st->forgets = forgets_new(w);
	st->shareds = shareds_new(w);
	st->dormants = dormants_new(w);
	st->index = index_new(w->directory, st->shards, &limits);
	if (!(e = secret_open(w->directory, st->secret)) && !(e = journal_open(&st->journal, w)) &&
		!(e = skip_read(w->directory, &st->skip_clock)))
		e = spool_start(w, st->journal);
	if (e) {
		store_free(st);
		return e;
	}
	views_start(st);
	foreign_start(st);
	index_rest_start(st);
	domains_declared(st);
	st->deleted = deleted_start(w);
	return OK;
}

void store_reload(struct worker *w, const struct conf *old)
{
	(void)old;
	conf_take(w->store);
	files_lock_mailboxes(
		journal_files(w->store->journal), w->store->settings->lock_mailboxes, w->store->settings->dot_locks);
	domains_declared(w->store);
}

struct stop {
	void (*done)(struct worker *w);
	struct timer look;
	bool settled;
};

static void look(void *user);

static void settled(void *user)
{
	struct store *st = user;

	st->stop->settled = true;
	look(st);
}

/* Calls are refused by now; when those under way are through the journal is settled, and we end. */
static void look(void *user)
{
	struct store *st = user;
	struct worker *w = st->w;
	struct stop *stop = st->stop;

	if (st->task_count || st->loading || st->looking) {
		stop->settled = false;
		timer_start(w->timers, &stop->look, STOP_LOOK_MS, look, st);
	} else if (!stop->settled) {
		journal_settle(st->journal, settled, st);
	} else {
		void (*done)(struct worker * w) = stop->done;

		free(stop);
		store_free(st);
		done(w);
	}
}

void store_stop(struct worker *w, void (*done)(struct worker *w))
{
	w->store->stop = mem_new(struct stop);
	w->store->stop->done = done;
	look(w->store);
}

enum err store_recover(const struct conf *conf, int directory)
{
	return journal_recover(conf, directory);
}
