/* mailbox_load.c - a mailbox comes into memory.
 *   index: its record -> files: are they as the record says? -> ready
 *                                 they hold more -> index: its messages -> slow: the rest of the files -> index
 *                                 no record, or of other files           -> slow: all of them          -> index
 * So a lost index, a crash between file and index, and files copied back from elsewhere are all this one catching up.
 * In a store that is a copy (copied.h) a mailbox skips UIDs that the original may have given, and an mbox that was cut in
 * the middle of its last message loses that.
 * Where another program may have written, whatever was known of the mailbox (its view, or the index) is matched with what
 * the files say (mailbox_match.c), and if they do not say all that was found out, they are written anew.
 * Loaded again after a failed change, UIDs and clock go on from where they were: what was given is not given twice. */
#include "core/counter.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/journal/apply.h"
#include "storage/journal/copied.h"
#include "storage/mailbox/lookup.h"
#include "storage/mailbox/mailbox.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD_MAX     4096 /* bytes in which the state file's first line is looked for */
#define MISSING_TOLD 10   /* messages that are gone, one by one */
#define AGAIN_MS     100
#define PUT_BACK_MS  60000 /* between the two files of a mailbox that is put back by hand */
#define AWAY_TRIES   20    /* of finding it again */
#define STATE_TRIES  20    /* of finding that the state file that belongs to an older mbox was put back, too */
#define TRIES_MAX    100   /* of reading it while another program has it locked; then it is read as it is */

COUNTER(rebuilds, "store.rebuilds", "mailboxes read again from their files alone");

struct load {
	struct job job;
	struct mailbox *m;
	char *address, *name;
	struct mailbox_scan scan;
	struct mailbox_record record;
	bool known;   /* the index has that record */
	bool unasked; /* it did not say, for it was stuck */
	bool current, grown, done, mended;
	uint64_t skip_clock;
	bool reread;              /* another program wrote to it */
	bool changed[2];          /* mbox, state file: it did, before reading began */
	bool put_back;            /* the mbox is an older one */
	bool counted;             /* in store.loading */
	struct state_head head;   /* that the state file begins with; id 0: none */
	bool mdir;                /* the files are of that form */
	struct mailbox_known old; /* what was known */
	bool has_old, renewed;
	bool away;               /* the mbox is not there; whoever moved it may put it back at once */
	bool remembered;         /* the index knew of UIDs that the files say nothing of */
	struct message *indexed; /* what the index knew, while that is compared */
	size_t indexed_count;
	struct files *files;
	struct timer again;
	unsigned tries; /* more, for it was locked, or changed again */
	enum err e;
};

static void load_free(struct load *l)
{
	l->m->st->loading -= l->counted;
	mailbox_scan_free(&l->scan);
	free(l->old.messages);
	free(l->old.expunged);
	free(l->indexed);
	free(l->address);
	free(l->name);
	free(l);
}

static void load_next(struct load *l, struct lane *lane, void (*work)(struct job *), void (*done)(struct job *))
{
	l->job = (struct job){ .work = work, .done = done };
	lane_add(lane, &l->job);
}

/* --- the end ----------------------------------------------------------------------------------------------------- */

/* What files without a head of ours lack. A state file whose head is damaged gets one with the next generation. */
static void identify(struct mailbox *m)
{
	struct state_head *h = &m->seen.head;

	while (!h->id)
		if (getrandom(&h->id, sizeof(h->id), 0) != sizeof(h->id))
			h->id = 0;
	if (!h->uidvalidity)
		h->uidvalidity = (uint32_t)store_seconds(m->st);
}

/* The list of mailboxes knows only what their state files say. */
static void leaf_mend(const struct mailbox *m)
{
	struct leaf *leaf = m->h->tree_known ? tree_find(&m->h->tree, str_of(m->name)) : NULL;

	if (!leaf)
		return;
	leaf->id = m->seen.head.id;
	leaf->uidvalidity = m->seen.head.uidvalidity;
}

/* Files that were ours, as they were when the store was copied or lost what it knew. */
static bool has_to_skip(const struct load *l)
{
	return (l->known || l->scan.has_head || l->scan.has_base) && l->scan.r.head.clock < l->skip_clock;
}

static struct change *change_now(struct commit *k, struct mailbox *m, uint64_t least)
{
	uint64_t now = (uint64_t)store_seconds(m->st) << 16, clock = m->clock + 1 > now ? m->clock + 1 : now;

	return commit_change_at(k, m, clock > least ? clock : least);
}

/* Whoever made these files left out what our changes build on: it is added before them. What is told as it is skipped
 * is durable before any UID behind it is given, for that is a later entry of the journal. */
static void complete(struct mailbox *m, const struct load *l, bool skips)
{
	const struct mailbox_scan *s = &l->scan;
	struct commit *k = commit_new(m->st, NULL);
	struct change *c = change_now(k, m, skips ? l->skip_clock : 0);

	if (skips)
		m->uidnext = m->uidnext < UINT32_MAX - UIDS_SKIPPED ? m->uidnext + UIDS_SKIPPED : UINT32_MAX;
	if (s->lacks)
		change_line_ends(c, s->lacks);
	if (!s->has_head && !m->state_end)
		change_head(c, s->known ? m->uidnext : s->uidnext);
	if (skips || s->gone || l->remembered || (s->r.head.mdir && s->news))
		change_uidnext(c);
	commit_go(k, ENTRY_SMALL, NULL, NULL);
}

/* What the index is to learn of a scan: all, or what is not as it was. */
static void tell_index(struct mailbox *m, struct load *l, bool whole)
{
	struct mailbox_scan *s = &l->scan;
	size_t kept = 0;

	if (whole) {
		mailbox_put_whole(m, s->messages, s->count);
		s->messages = NULL;
		return;
	}
	for (size_t i = 0; i < s->count; i++)
		if (s->changed[i])
			s->messages[kept++] = s->messages[i];
	mailbox_put(m, s->messages, kept);
}

static void load_end(struct load *l, bool scanned, bool whole)
{
	struct mailbox *m = l->m;
	uint32_t uidnext = m->uidnext;
	uint64_t clock = m->clock;
	bool skips = has_to_skip(l);

	if (l->e) {
		if (l->e == ERR_ABSENT && m->h->tree_known && !m->h->leader)
			tree_remove(&m->h->tree, str_of(m->name)); /* somebody removed its files */
		mailbox_gone(m, l->e == ERR_ABSENT ? ERR_ABSENT : l->e == ERR_NEVER ? ERR_NEVER : ERR_AGAIN);
		load_free(l);
		mailbox_unpin(m);
		return;
	}
	m->seen = l->scan.r;
	identify(m);
	mailbox_fix(m);
	if (m->uidnext < uidnext)
		m->uidnext = uidnext;
	if (m->clock < clock)
		m->clock = clock;
	mailbox_set_id(m);
	leaf_mend(m);
	m->state = MAILBOX_READY;
	m->adopts = journal_is_parked(m->st->journal, m->seen.head.id);
	if (m->adopts && !m->parked)
		mailbox_is_parked(m, true);
	m->gone_count = 0;
	for (size_t i = 0; l->mdir && i < l->scan.count; i++)
		if (l->scan.messages[i].flags & FLAG_EXPUNGED)
			mailbox_file_gone(m, l->scan.messages[i].uid);
	if (scanned) {
		tell_index(m, l, whole);
		quota_changed_elsewhere(m);
	}
	m->untidy = (whole && !l->scan.has_head && m->state_end) || l->scan.untidy;
	if (skips || l->remembered ||
		(scanned && (l->scan.lacks || (l->scan.gone && !l->renewed) || (l->mdir && l->scan.news) ||
				    (whole && !l->scan.has_head))))
		complete(m, l, skips);
	load_free(l);
	compact_if_due(m);
	mailbox_turn(m);
	mailbox_unpin(m);
}

static void files_work(struct job *job);
static void files_done(struct job *job);

/* --- files beyond the record --------------------------------------------------------------------------------------- */

static void scan_work(struct job *job)
{
	struct load *l = container_of(job, struct load, job);
	uint64_t cut;

	l->e = mailbox_scan_step(&l->scan, &l->done);
	if (l->e || !l->done || !l->scan.lacks || !l->scan.has_base || !has_to_skip(l))
		return;
	l->e = copied_mbox_mend(l->scan.directory, l->scan.stem, &cut);
	l->mended = !l->e && cut;
}

/* Damage may have cost the files what the index remembers: no UID is given twice for that. */
static void remember(struct load *l)
{
	struct state_head *now = &l->scan.r.head;
	const struct state_head *was = &l->record.head;

	if (!l->known || now->id != was->id || now->uidvalidity != was->uidvalidity)
		return;
	l->remembered = now->uidnext < was->uidnext;
	if (l->remembered)
		now->uidnext = was->uidnext;
	if (now->clock < was->clock)
		now->clock = was->clock;
}

/* --- what the index knew and the files no longer hold -------------------------------------------------------------- */

static bool has_uid(const struct mailbox_scan *s, uint32_t uid)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (s->messages[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < s->count && s->messages[low].uid == uid;
}

static void missing_work(struct job *job)
{
	struct load *l = container_of(job, struct load, job);
	unsigned count = 0;

	for (size_t i = 0; i < l->indexed_count; i++) {
		const struct message *m = &l->indexed[i];

		if (!has_uid(&l->scan, m->uid) && ++count <= MISSING_TOLD)
			log_warn("store", NULL,
				"a message is no longer in its mbox account=%s mailbox=\"%s\" uid=%u offset=%llu",
				l->address, l->name, m->uid, (unsigned long long)m->offset);
	}
	if (count > MISSING_TOLD)
		log_warn("store", NULL, "more messages are no longer in their mbox account=%s mailbox=\"%s\" count=%u",
			l->address, l->name, count - MISSING_TOLD);
}

static void whole_end(struct load *l)
{
	counter_add(&rebuilds, 1);
	log_info("store", NULL, "read again from its files account=%s mailbox=\"%s\" messages=%u new=%u gone=%u",
		l->address, l->name, l->scan.r.messages, l->scan.news, l->scan.gone);
	load_end(l, true, true);
}

static void missing_done(struct job *job)
{
	whole_end(container_of(job, struct load, job));
}

static void missing_known(void *user, enum err e, struct message *messages, size_t count)
{
	struct load *l = user;

	(void)e;
	l->indexed = messages;
	l->indexed_count = count;
	load_next(l, l->m->st->w->slow, missing_work, missing_done);
}

/* The files, as they are now, have been read. */
static void whole_read(struct load *l)
{
	remember(l);
	if (l->known && l->record.head.id == l->scan.r.head.id && l->scan.r.messages < l->record.messages)
		lookup_messages(l->m, l->record.head.id, false, missing_known, l);
	else
		whole_end(l);
}

static void scan_new(struct load *l)
{
	l->scan = (struct mailbox_scan){ .directory = l->m->st->w->directory,
		.stem = l->m->stem,
		.account = l->address,
		.mailbox = l->name,
		.mbox_max = UINT64_MAX,
		.adopts = true,
		.state_max = UINT64_MAX };
}

static void try_again(void *user)
{
	struct load *l = user;

	if (l->m->st->stop)
		l->tries = TRIES_MAX;
	load_next(l, l->m->st->w->files, files_work, files_done);
}

/* Another program is still at it, or was again. */
static void load_again(struct load *l)
{
	mailbox_scan_free(&l->scan);
	scan_new(l);
	l->scan.r = l->record;
	timer_start(l->m->st->w->timers, &l->again, AGAIN_MS, try_again, l);
}

static void renewed(void *user, enum err e)
{
	struct load *l = user;

	if (e == ERR_AGAIN && l->tries++ < TRIES_MAX && !l->m->st->stop) {
		load_again(l);
		return;
	}
	l->renewed = !e;
	if (e) /* they stay as they are, and what was found out holds as long as the index knows it */
		l->scan.untidy = true;
	whole_read(l);
}

/* What was matched is the mailbox that was known, whatever its files say; unless all that was known is the index's, and
 * they say that they are of another. */
static bool is_same_mailbox(struct load *l)
{
	struct state_head *h = &l->scan.r.head;
	const struct state_head *was = &l->record.head;

	if (!l->has_old)
		return true;
	if (!l->reread && h->id && h->id != was->id)
		return false;
	l->scan.renew |= h->id != was->id || h->uidvalidity != was->uidvalidity;
	h->id = was->id;
	h->uidvalidity = was->uidvalidity;
	if (h->generation < was->generation)
		h->generation = was->generation;
	l->scan.r.recent = l->record.recent;
	if (h->mdir) { /* its next state file says so */
		l->scan.untidy |= l->scan.renew;
		l->scan.renew = false;
	}
	mailbox_scan_sum(&l->scan);
	return true;
}

static void scan_whole(struct load *l);
static void record_known(void *user, const struct mailbox_record *r, bool is_left);

/* Whether the files alone do not say which message has which UID: then it is waited for what the index knows of that. */
static bool has_to_ask(const struct load *l)
{
	return l->unasked && (l->scan.untidy || l->scan.renew || !l->scan.has_head);
}

static void ask_again(struct load *l)
{
	mailbox_scan_free(&l->scan);
	scan_new(l);
	lookup_record(l->m, true, record_known, l);
}

static void whole_done(struct job *job)
{
	struct load *l = container_of(job, struct load, job);

	if (l->mended)
		scan_whole(l);
	else if (!l->e && !l->done)
		load_next(l, l->m->st->w->slow, scan_work, whole_done);
	else if (l->e == ERR_AGAIN && l->scan.lock && l->tries++ < TRIES_MAX && !l->m->st->stop)
		load_again(l);
	else if (l->e)
		load_end(l, true, true);
	else if (has_to_ask(l))
		ask_again(l);
	else if (!is_same_mailbox(l)) {
		l->known = l->has_old = false;
		scan_whole(l);
	} else if (l->scan.renew)
		mailbox_renew(l->m, &l->scan, renewed, l);
	else
		whole_read(l);
}

/* What was known goes into the scan: the mailbox is the same one, whatever the files say of that. */
static void scan_match(struct load *l)
{
	l->old.uidnext = l->record.head.uidnext > l->m->uidnext ? l->record.head.uidnext : l->m->uidnext;
	l->old.generation = l->record.head.generation;
	l->old.clock = l->record.head.clock > l->m->clock ? l->record.head.clock : l->m->clock;
	l->old.behind = !l->reread || l->m->adopts;
	l->scan.known = &l->old;
	l->scan.lock = l->reread && l->m->st->settings->lock_mailboxes && l->tries < TRIES_MAX;
	l->scan.r.keywords = l->record.keywords; /* they keep their bits */
}

static void scan_whole(struct load *l)
{
	mailbox_scan_free(&l->scan);
	scan_new(l);
	l->mended = false;
	if (l->has_old)
		scan_match(l);
	load_next(l, l->m->st->w->slow, scan_work, whole_done);
}

/* What the files have grown by may be no mail, if somebody else wrote it: then all is looked at. */
static void rest_done(struct job *job)
{
	struct load *l = container_of(job, struct load, job);

	if (l->e == ERR_NEVER || l->mended || (!l->e && l->scan.untidy))
		scan_whole(l);
	else if (!l->e && !l->done)
		load_next(l, l->m->st->w->slow, scan_work, rest_done);
	else
		load_end(l, true, false);
}

/* What the index knows, to be matched with the files. */
static void old_known(void *user, enum err e, struct message *messages, size_t count)
{
	struct load *l = user;

	l->has_old = !e && count == l->record.messages && l->record.head.mdir == l->mdir;
	if (l->has_old) {
		l->old.messages = messages;
		l->old.count = count;
	} else {
		free(messages);
	}
	scan_whole(l);
}

static void messages_known(void *user, enum err e, struct message *messages, size_t count)
{
	struct load *l = user;

	l->scan.messages = messages;
	l->scan.count = l->scan.cap = count;
	if (e || count != l->scan.r.messages)
		scan_whole(l);
	else
		load_next(l, l->m->st->w->slow, scan_work, rest_done);
}

/* --- record and files ---------------------------------------------------------------------------------------------- */

static bool file_size(const struct mailbox_scan *s, const char *suffix, uint64_t *size, enum err *e)
{
	struct buf path = { 0 };
	struct stat st;
	int failed;

	buf_printf(&path, "%s%s", s->stem, suffix);
	buf_add_char(&path, '\0');
	failed = fstatat(s->directory, buf_data(&path), &st, 0);
	if (failed && errno != ENOENT && errno != ENOTDIR)
		*e = err_errno("stat %s", buf_data(&path));
	if (!failed && !S_ISREG(st.st_mode)) {
		log_error("store", NULL, "no file can be read there path=%s", buf_data(&path));
		*e = ERR_NEVER;
	}
	buf_free(&path);
	*size = failed ? 0 : (uint64_t)st.st_size;
	return !failed;
}

/* What the state file begins with, and which form the mailbox has. */
static void head_read(struct load *l)
{
	const struct mailbox_scan *s = &l->scan;
	static const struct state_events none = { 0 };
	struct keywords *words = mem_new(struct keywords);
	struct buf path = { 0 };
	char bytes[HEAD_MAX];
	struct str text;
	ptrdiff_t lf;
	ssize_t n = -1;
	enum err e;
	int fd;

	buf_printf(&path, "%s.state", s->stem);
	buf_add_char(&path, '\0');
	if ((fd = openat(s->directory, buf_data(&path), O_RDONLY | O_CLOEXEC)) >= 0) {
		n = pread(fd, bytes, sizeof(bytes), 0);
		close(fd);
	}
	buf_free(&path);
	text = (struct str){ bytes, n > 0 ? (size_t)n : 0 };
	if (str_starts(text, STR("postern-state ")) && (lf = str_find(text, '\n')) > 0)
		state_read(str_cut(text, 0, (size_t)lf + 1), &l->head, words, &none, NULL, &e);
	free(words);
	l->mdir = mailbox_scan_is_mdir(s, &l->head);
}

/* Whether it has the id and generation that the record has. */
static bool same_head(const struct load *l)
{
	const struct state_head *h = &l->scan.r.head;

	return l->head.id && l->head.id == h->id && l->head.generation == h->generation && l->mdir == h->mdir;
}

/* Whether the two files are as we left them tells whether another program wrote to them. From now on they are known as they
 * are. */
static void files_look(struct load *l)
{
	const char *const suffixes[] = { l->mdir ? MDIR_SUFFIX : ".mbox", ".state" };

	for (size_t i = 0; i < 2; i++) {
		struct buf path = { 0 };
		struct stamp stamp;
		bool same;

		buf_printf(&path, "%s%s", l->scan.stem, suffixes[i]);
		l->put_back |= !strcmp(suffixes[i], ".mbox") && files_put_back(l->files, buf_str(&path));
		same = files_same(l->files, buf_str(&path));
		l->changed[i] |= !same; /* of a later try nothing is known but what the first one saw */
		l->reread |= l->changed[i] && l->known;
		if (!stamp_read(l->scan.directory, buf_str(&path), &stamp))
			files_know(l->files, buf_str(&path), &stamp);
		if (!i && l->mdir &&
			mdir_is_settling(l->scan.directory, l->scan.stem)) /* not before the stamp is read */
			files_know(l->files, buf_str(&path), &(struct stamp){ 0 });
		buf_free(&path);
	}
}

/* Files in an mdir; false: it is not there. */
static bool files_count(struct load *l, uint64_t *count)
{
	struct mdir_list list;
	enum err e = mdir_list_read(l->scan.directory, l->scan.stem, &list);

	*count = list.count + (buf_len(&list.others) != 0); /* then it is gone through */
	mdir_list_free(&list);
	if (e && e != ERR_ABSENT)
		l->e = e;
	return !e;
}

static void files_work(struct job *job)
{
	struct load *l = container_of(job, struct load, job);
	struct mailbox_scan *s = &l->scan;
	uint64_t mbox, state;
	bool there, same;

	head_read(l);
	l->has_old = l->has_old && l->mdir == l->record.head.mdir;
	there = l->mdir ? files_count(l, &mbox) : file_size(s, ".mbox", &mbox, &l->e);
	l->away = !there && l->reread && l->record.messages && l->tries < AWAY_TRIES;
	if (!file_size(s, ".state", &state, &l->e) && !there && !l->e)
		l->e = ERR_ABSENT;
	l->old.stateless = !state;
	files_look(l);
	l->old.restored = l->changed[1];
	l->old.put_back = l->put_back && !l->changed[1];
	if (l->e || !l->known)
		return;
	same = same_head(l);
	if (l->reread)
		return;
	l->current = same && mbox == s->r.mbox_end && state == s->r.state_end && !(l->mdir && s->r.garbage);
	l->grown = same && !l->mdir && mbox >= s->r.mbox_end && state >= s->r.state_end;
	if (!l->grown && !l->mdir && (same || !state))
		log_warn("store", NULL,
			"a file is shorter than the index knew it account=%s mailbox=\"%s\" mbox=%llu of=%llu "
			"state=%llu of=%llu",
			l->address, l->name, (unsigned long long)mbox, (unsigned long long)s->r.mbox_end,
			(unsigned long long)state, (unsigned long long)s->r.state_end);
}

/* A state file that alone is another one lost what it said. One that comes with its mbox, or soon after it, was put back with
 * it: then what is expunged is what these say, not what was known. An older mbox without it is waited with for a moment. */
static void expunged_look(struct load *l)
{
	int64_t now = timers_now_ms(l->m->st->w->timers), last = l->m->others_ms;

	if (l->changed[1] && (l->changed[0] || (last && now - last < PUT_BACK_MS)))
		l->old.expunged_count = 0;
	l->m->others_ms = now;
}

static void files_done(struct job *job)
{
	struct load *l = container_of(job, struct load, job);

	if (l->reread && !l->counted) {
		l->counted = true;
		l->m->st->loading++;
		expunged_look(l);
	}
	if (!l->reread && l->head.id && l->head.id != l->record.head.id)
		l->known = false; /* what the index knows is another mailbox of that name */
	if (l->old.put_back)
		l->old.expunged_count = 0;
	if ((l->away || (l->old.put_back && l->tries < STATE_TRIES)) && l->e != ERR_AGAIN && !l->m->st->stop) {
		l->e = OK;
		l->tries++;
		load_again(l);
	} else if (l->e || l->current)
		load_end(l, false, false);
	else if (l->grown && l->has_old)
		scan_whole(l);
	else if (l->grown)
		lookup_messages(l->m, l->scan.r.head.id, false, messages_known, l);
	else if (l->known && !l->has_old)
		lookup_messages(l->m, l->scan.r.head.id, true, old_known, l);
	else
		scan_whole(l);
}

static void record_known(void *user, const struct mailbox_record *r, bool is_left)
{
	struct load *l = user;

	l->unasked = is_left;
	if (!l->known && r) {
		l->known = true;
		l->record = *r;
	}
	if (l->known)
		l->scan.r = l->record;
	load_next(l, l->m->st->w->files, files_work, files_done);
}

/* Of a mailbox that was in memory until now. */
static void take_known(struct load *l)
{
	struct mailbox *m = l->m;

	l->reread = l->known = true;
	l->record = m->seen;
	l->record.head.uidnext = m->uidnext;
	l->record.head.clock = m->clock;
	if (m->view) {
		l->old.messages = mailbox_seen(m, false, &l->old.count);
		l->old.expunged = mailbox_seen(m, true, &l->old.expunged_count);
		l->has_old = true;
	}
}

void mailbox_load(struct mailbox *m)
{
	struct load *l = mem_new(struct load);
	struct store *st = m->st;

	assert(!m->changes);
	m->state = MAILBOX_LOADING;
	mailbox_put_flush(m);
	mailbox_pin(m);
	l->m = m;
	l->skip_clock = st->skip_clock;
	l->files = journal_files(st->journal);
	if (m->foreign && m->has_id)
		take_known(l);
	mailbox_view_drop(m);
	m->foreign = false;
	l->address = str_dup(str_of(m->h->address));
	l->name = str_dup(str_of(m->name));
	scan_new(l);
	if (l->known)
		record_known(l, NULL, false);
	else
		lookup_record(m, false, record_known, l);
}
