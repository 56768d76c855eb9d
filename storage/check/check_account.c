/* check_account.c - an account is looked over: settings, labels, what lies in its directory, and what the index has of
 * mailboxes that are no more. Directories are gone through level by level with a list of those still to be read. */
#include "core/listing.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/check/check_parts.h"
#include "storage/path.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 1000000 /* looked at below one directory */

struct visit { /* a directory still to be read */
	struct visit *next;
	char path[];
};

struct walk {
	int directory;
	enum check_task task;
	struct found *found;
	struct visit *visits;
	bool deep, named; /* below the first level, too; names are looked at */
	size_t files;
	struct buf halves; /* files of generations that were never finished: packed paths */
};

struct account_look {
	struct look look;
	struct tree tree;
	struct account_settings settings;
	enum err settings_e;
	struct buf halves;
	struct buf gone; /* mailboxes that only the index seems to have: packed names and ids */
	bool leads;      /* no mailbox is made, renamed or deleted meanwhile */
};

static void visit_add(struct walk *w, const char *path)
{
	struct visit *v = mem_alloc(sizeof(*v) + strlen(path) + 1);

	memcpy(v->path, path, strlen(path) + 1);
	v->next = w->visits;
	w->visits = v;
}

static void tell(struct found *f, const char *path, const char *text, const char *repair, enum mend mend)
{
	struct problem p = { .path = str_of(path), .text = str_of(text), .repair = str_of(repair), .mend = mend };

	found_add(f, &p);
}

/* --- modes ------------------------------------------------------------------------------------------------------------ */

static void look_mode(struct walk *w, const char *path, const struct stat *st)
{
	static const char text[] = "others may read it";
	mode_t right = S_ISDIR(st->st_mode) ? 0700 : 0600;
	enum mend mend = MEND_CAN;

	if (st->st_uid != geteuid()) {
		tell(w->found, path, "it belongs to another user", "", MEND_NONE);
		return;
	}
	if (!(st->st_mode & 077) && (st->st_mode & right) == right)
		return;
	if (w->task == CHECK_REPAIR)
		mend = fchmodat(w->directory, path, right, 0) ? MEND_FAILED : MEND_DONE;
	tell(w->found, path, st->st_mode & 077 ? text : "its owner may not read and write it", "its mode is set right",
		mend);
}

/* --- names ------------------------------------------------------------------------------------------------------------ */

static bool ends_in(struct str name, struct str suffix)
{
	return name.len > suffix.len && str_eq(str_cut(name, name.len - suffix.len, name.len), suffix);
}

/* "Archive.mbox.2": a generation, as generation_path names it. */
static bool is_generation(struct str name)
{
	ptrdiff_t dot = str_rfind(name, '.');
	struct str stem = str_cut(name, 0, dot < 0 ? 0 : (size_t)dot);
	uint64_t number;

	return dot > 0 && str_hex(str_cut(name, (size_t)dot + 1, name.len), &number) &&
	       (ends_in(stem, STR(".mbox")) || ends_in(stem, STR(".state")) || ends_in(stem, STR(MDIR_SUFFIX)));
}

static bool is_level(struct str file)
{
	struct buf name = { 0 };
	bool good = !path_file_to_name(&name, file);

	buf_free(&name);
	return good;
}

static bool is_mailbox_file(struct str name)
{
	static const struct str suffixes[] = { { ".mbox", 5 }, { ".state", 6 } };

	for (size_t i = 0; i < 2; i++)
		if (ends_in(name, suffixes[i]))
			return is_level(str_cut(name, 0, name.len - suffixes[i].len));
	return false;
}

/* "Big.mdir", and what is in it, which the mailbox itself tells of. */
static bool is_mdir(struct str name)
{
	struct str suffix = STR(MDIR_SUFFIX);

	return ends_in(name, suffix) && is_level(str_cut(name, 0, name.len - suffix.len));
}

static bool is_in_mdir(const char *path)
{
	return memmem(path, strlen(path), MDIR_SUFFIX "/", sizeof(MDIR_SUFFIX)) ||
	       memmem(path, strlen(path), MDIR_SUFFIX ".", sizeof(MDIR_SUFFIX));
}

/* Which comes and goes: another program has the mailbox, or we. A stale one goes when the mailbox is written to. */
static bool is_dot_lock(struct str name)
{
	struct str stem = str_cut(name, 0, name.len < 5 ? 0 : name.len - 5);

	return ends_in(name, STR(".lock")) && ends_in(stem, STR(".mbox")) && is_mailbox_file(stem);
}

static void look_name(struct walk *w, const char *path, struct str name, bool is_directory)
{
	enum mend mend = MEND_CAN;

	if (is_directory ? is_level(name) || is_mdir(name) : is_mailbox_file(name))
		return;
	if (!is_directory && (str_eq(name, STR("account.settings")) || str_eq(name, STR("account.mailboxes"))))
		return;
	if (memmem(name.p, name.len, ".damaged", 8)) {
		tell(w->found, path, "this was set aside", "", MEND_NOTE);
	} else if (is_in_mdir(path) && !is_directory) {
		return; /* the mailbox itself is looked at for these */
	} else if (is_generation(name)) {
		pack_str(&w->halves, str_of(path));
	} else if (!is_directory && ends_in(name, STR(".new"))) {
		if (w->task == CHECK_REPAIR) /* in the files lane, which alone makes such */
			mend = unlinkat(w->directory, path, 0) ? MEND_FAILED : MEND_DONE;
		tell(w->found, path, "a file half made is left over", "it is removed", mend);
	} else {
		tell(w->found, path, "nothing of this name is ours", "", MEND_NONE);
	}
}

static void look_entry(struct walk *w, const char *directory, const char *name)
{
	char path[2 * PATH_BYTES_MAX];
	struct stat st;

	if (is_dot_lock(str_of(name)))
		return;
	if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path) ||
		fstatat(w->directory, path, &st, AT_SYMLINK_NOFOLLOW))
		return; /* or gone since */
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) {
		tell(w->found, path, "this is neither a file nor a directory", "", MEND_NONE);
		return;
	}
	look_mode(w, path, &st);
	if (w->named)
		look_name(w, path, str_of(name), S_ISDIR(st.st_mode));
	if (w->deep && S_ISDIR(st.st_mode))
		visit_add(w, path);
}

static void look_directory(struct walk *w, const char *path)
{
	DIR *d = listing_open(w->directory, path, 0);
	const struct dirent *entry;

	if (!d) {
		if (errno != ENOENT)
			tell(w->found, path, strerror(errno), "", MEND_NONE);
		return;
	}
	while ((entry = readdir(d)) && w->files < FILES_MAX)
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) {
			w->files++;
			look_entry(w, path, entry->d_name);
		}
	closedir(d);
}

static void look_below(struct walk *w, struct str path)
{
	char *first = str_dup(path);

	visit_add(w, first);
	free(first);
	while (w->visits) {
		struct visit *v = w->visits;

		w->visits = v->next;
		look_directory(w, v->path);
		free(v);
	}
}

void look_modes(int directory, struct str path, enum check_task task, struct found *f)
{
	struct walk w = { .directory = directory, .task = task, .found = f };

	look_below(&w, path);
}

/* --- an account ------------------------------------------------------------------------------------------------------- */

static enum err account_work(struct task *t)
{
	struct account_look *a = t->op;
	struct walk w = { .directory = t->st->w->directory,
		.task = a->look.task,
		.found = &a->look.found,
		.deep = true,
		.named = true };
	struct buf path = { 0 };
	enum err e = path_account(&path, t->address);

	if (e)
		return e;
	a->settings_e = account_read(w.directory, t->address, &t->memory, &a->settings);
	if (a->settings_e != ERR_ABSENT || !faccessat(w.directory, arena_dup(&t->memory, buf_str(&path)), F_OK, 0)) {
		look_below(&w, buf_str(&path));
		e = tree_read(w.directory, t->address, &a->tree);
	} else {
		e = ERR_ABSENT;
	}
	a->halves = w.halves;
	buf_free(&path);
	return e;
}

static void tell_settings(const struct task *t, struct account_look *a)
{
	struct buf path = { 0 };

	if (!a->settings_e)
		return;
	path_account(&path, t->address);
	buf_add(&path, "/account.settings", sizeof("/account.settings"));
	tell(&a->look.found, buf_data(&path),
		a->settings_e == ERR_ABSENT ? "the settings are missing: this is no account"
					    : "the settings are damaged or of a later version: the account rests",
		"", MEND_NONE);
	buf_free(&path);
}

/* The mailbox of "domains/d/a/Archive/2026.mbox.2", in memory; NULL: it is not, or there is none. */
static const struct mailbox *mailbox_of(const struct task *t, struct str path)
{
	struct buf account = { 0 }, name = { 0 };
	const struct mailbox *m = NULL;
	struct str left;
	bool good = true;

	for (int dots = 0; dots < 2; dots++)
		path = str_cut(path, 0, (size_t)str_rfind(path, '.'));
	path_account(&account, t->address);
	left = str_cut(path, buf_len(&account) + 1, path.len);
	while (good && left.len) {
		ptrdiff_t slash = str_find(left, '/');
		size_t len = slash < 0 ? left.len : (size_t)slash;

		good = !path_file_to_name(&name, str_cut(left, 0, len));
		if (slash >= 0)
			buf_add_char(&name, '/');
		left = str_cut(left, slash < 0 ? len : len + 1, left.len);
	}
	if (good)
		m = mailbox_known(t->h, buf_str(&name));
	buf_free(&account);
	buf_free(&name);
	return m;
}

/* Moved away in the turn in which it is seen that nobody writes it, to where it is unlinked in time. */
static bool half_remove(const struct task *t, const char *path)
{
	char to[64];

	mkdirat(t->st->w->directory, "deleted", 0700);
	snprintf(to, sizeof(to), "deleted/half-%u-%llx", t->st->w->slot, (unsigned long long)t->st->serial++);
	return !renameat(t->st->w->directory, path, t->st->w->directory, to);
}

static void tell_halves(struct task *t, struct account_look *a)
{
	struct unpack u = unpack_of(buf_str(&a->halves));

	while (u.left.len) {
		const char *path = arena_dup(&t->memory, unpack_str(&u));
		const struct mailbox *m = mailbox_of(t, str_of(path));
		enum mend mend = MEND_CAN;

		if (m && (m->alone || m->compacting))
			continue;
		if (a->look.task == CHECK_REPAIR)
			mend = half_remove(t, path) ? MEND_DONE : MEND_FAILED;
		tell(&a->look.found, path, "a generation that was never finished is left over", "it is removed", mend);
	}
}

static void account_end(struct task *t, enum err e)
{
	struct account_look *a = t->op;

	if (!e) {
		tell_settings(t, a);
		tell_halves(t, a);
		for (size_t i = 0; i < a->tree.count; i++)
			found_below(&a->look.found, str_of(a->tree.leaves[i].name));
	}
	tree_free(&a->tree);
	buf_free(&a->halves);
	buf_free(&a->gone);
	found_end(t, e, &a->look.found);
}

/* --- the index ---------------------------------------------------------------------------------------------------------- */

static void on_known(void *user, struct str mailbox, const struct mailbox_record *r)
{
	struct account_look *a = user;

	if (tree_find(&a->tree, mailbox))
		return;
	pack_str(&a->gone, mailbox);
	pack_u64(&a->gone, r->head.id);
}

static enum err index_work(struct task *t)
{
	struct account_look *a = t->op;

	buf_clear(&a->gone);
	return index_mailboxes_work(t->st->index, t->h->shard, t->address, on_known, a);
}

static enum err forget_work(struct task *t)
{
	const struct account_look *a = t->op;
	struct unpack u = unpack_of(buf_str(&a->gone));

	while (u.left.len) {
		struct str name = unpack_str(&u);

		index_remove_work(t->st->index, t->h->shard, t->address, name, unpack_u64(&u));
	}
	return OK;
}

/* What is told: of those that the index has, the ones that the account, which t leads, has not. */
static void tell_gone(struct task *t, struct account_look *a)
{
	struct problem p = { .text = STR("the index knows a mailbox whose files are missing"),
		.repair = STR("it is forgotten"),
		.mend = a->look.task == CHECK_REPAIR ? MEND_DONE : MEND_CAN };
	struct unpack u = unpack_of(buf_str(&a->gone));
	struct buf sure = { 0 };

	while (u.left.len) {
		uint64_t id;

		p.mailbox = unpack_str(&u);
		id = unpack_u64(&u);
		if (tree_find(&t->h->tree, p.mailbox))
			continue;
		found_add(&a->look.found, &p);
		pack_str(&sure, p.mailbox);
		pack_u64(&sure, id);
	}
	buf_free(&a->gone);
	a->gone = sure;
}

static void index_read(struct task *t, enum err e);

static void gone_lead(struct task *t, enum err e)
{
	if (e)
		account_end(t, e);
	else
		task_in_lane(t, t->st->w->index, index_work, index_read);
}

static void gone_account(struct task *t, enum err e)
{
	if (e)
		account_end(t, e);
	else
		holding_lead(t, gone_lead);
}

/* A mailbox may have been deleted or renamed between the two looks, at the files and at the index: so what seems to be
 * missing is looked for again by one who leads the account. An index that cannot be read tells nothing. */
static void index_read(struct task *t, enum err e)
{
	struct account_look *a = t->op;

	if (e || !buf_len(&a->gone)) {
		account_end(t, OK);
	} else if (!a->leads) {
		a->leads = true;
		holding_ask(t->h, t, gone_account);
	} else {
		tell_gone(t, a);
		if (a->look.task == CHECK_REPAIR && buf_len(&a->gone))
			task_in_lane(t, t->st->w->index, forget_work, account_end);
		else
			account_end(t, OK);
	}
}

static void account_read_done(struct task *t, enum err e)
{
	struct account_look *a = t->op;

	if (e || a->settings_e)
		account_end(t, e);
	else
		task_in_lane(t, t->st->w->index, index_work, index_read);
}

void look_account(struct task *t)
{
	struct look look = *(struct look *)t->op;

	task_op(t, struct account_look)->look = look;
	t->h = holding_pin(t->st, t->address);
	task_in_lane(t, t->st->w->files, account_work, account_read_done);
}
