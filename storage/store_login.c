/* store_login.c - logging in: by a password, by a proof (SCRAM), by a name that was proved otherwise.
 * The keys of an account stay with its owner: who asks gets a salt, and whether a proof is right. */
#include "core/counter.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/account/login.h"
#include "storage/account/scram.h"
#include "storage/mailbox/mailbox.h"
#include <stdlib.h>
#include <string.h>

COUNTER(logins_remembered, "login.remembered", "logins by a password that was right not long before");

/* Passwords do not stay in memory that is given back. */
static void forget(struct str secret)
{
	if (secret.len)
		explicit_bzero((char *)secret.p, secret.len);
}

/* --- by a password ----------------------------------------------------------------------------------------------- */

struct login {
	struct str password, kept;
	enum hash_cost cost;
	bool renew, lacks_scram;
	uint8_t digest[PASSWORD_DIGEST_BYTES]; /* of password and kept */
	struct arena memory;                   /* the lane's */
	struct str hash, scram;
};

/* What is kept of the password in another way than today's is made anew while the password is at hand. */
static enum err login_work(struct task *t)
{
	struct login *l = t->op;
	enum err e = password_verify(l->kept, l->password, l->cost, &l->renew);

	if (!e && (l->renew || l->lacks_scram))
		l->renew = !password_hash(l->password, l->cost, &l->memory, &l->hash) &&
		           !password_scram_sha_256(l->password, l->cost, &l->memory, &l->scram);
	forget(l->password);
	return e;
}

static void renew(struct task *t)
{
	struct login *l = t->op;
	struct account_settings s = t->h->settings;
	struct commit *k;

	if (!str_eq(s.password, l->kept) || journal_room(t->st->journal, ENTRY_SMALL, 0))
		return; /* another time */
	s.password = l->hash;
	s.scram_sha_256 = l->scram;
	k = commit_new(t->st, NULL);
	account_put(commit_entry(k), t->address, &s);
	commit_go(k, ENTRY_SMALL, NULL, NULL);
	log_info("store", NULL, "password kept in a new way account=" STR_FMT, STR_ARG(t->address));
	holding_set(t->h, &s); /* either is right, should the entry fail */
}

/* What login_tell reads: the account, and what else proves that we are we. */
static void login_answer(struct task *t, enum err e, struct str signature)
{
	struct buf answer = { 0 };

	if (!e) {
		pack_u8(&answer, t->h->settings.admin);
		pack_str(&answer, signature);
	}
	task_end(t, e, buf_str(&answer));
	buf_free(&answer);
}

/* Most clients come again after minutes with the password that was right, and its hash is dear on purpose. So its owner
 * remembers a digest of it, in memory alone, for as long as login.remember says; never of a wrong one. */
static void remember(struct task *t)
{
	const struct login *l = t->op;

	if (!str_eq(t->h->settings.password, l->kept))
		return; /* it was changed meanwhile, or is kept in a new way */
	t->h->password.until_ms = timers_now_ms(t->st->w->timers) + t->st->login->remember_ms;
	memcpy(t->h->password.digest, l->digest, sizeof(l->digest));
}

static bool is_remembered(struct task *t)
{
	struct login *l = t->op;

	if (!t->st->login->remember_ms || !l->kept.len)
		return false;
	password_digest(t->st->login_key, l->kept, l->password, l->digest);
	return t->h->password.until_ms > timers_now_ms(t->st->w->timers) &&
	       password_digest_same(t->h->password.digest, l->digest);
}

static void login_verified(struct task *t, enum err e)
{
	struct login *l = t->op;

	if (!e && t->h->state != HOLDING_PRESENT)
		e = ERR_DENIED;
	if (!e && l->renew)
		renew(t);
	else if (!e && t->st->login->remember_ms)
		remember(t);
	arena_free(&l->memory);
	login_answer(t, e, STR_NONE);
}

static void login_account(struct task *t, enum err e)
{
	struct login *l = t->op;

	if (e && e != ERR_ABSENT) {
		forget(l->password);
		task_end(t, ERR_AGAIN, STR_NONE);
		return;
	}
	if (!e) {
		l->kept = arena_str(&t->memory, t->h->settings.password);
		l->lacks_scram = !t->h->settings.scram_sha_256.len;
	}
	if (is_remembered(t)) {
		counter_add(&logins_remembered, 1);
		forget(l->password);
		login_answer(t, OK, STR_NONE);
		return;
	}
	l->cost = (enum hash_cost)t->st->login->hash;
	task_in_lane(t, t->st->w->slow, login_work, login_verified);
}

void login_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_SYSTEM);
	struct login *l;

	if (!t)
		return;
	l = task_op(t, struct login);
	l->password = unpack_str(&t->args);
	if (task_args_end(t))
		task_account(t, login_account);
}

void account_free(struct account *a)
{
	if (a)
		free(a->address);
	free(a);
}

static void login_tell(struct asked *k, enum err e, struct str answer)
{
	struct unpack u = unpack_of(answer);
	bool admin = unpack_u8(&u);
	struct str signature = unpack_str(&u);
	struct account *a = NULL;

	if (!e && (!unpack_end(&u) || (k->signature && signature.len != SCRAM_KEY_BYTES)))
		e = ERR_AGAIN;
	if (!e) {
		if (k->signature)
			memcpy(k->signature, signature.p, SCRAM_KEY_BYTES);
		a = mem_new(struct account);
		a->address = str_dup(str_of(k->address));
		a->admin = admin;
		a->owner = k->to;
	}
	k->done.login(k->user, e, a);
}

/* About an account of which only a name is known, and that perhaps wrong: then k->address is NULL. */
static struct asked *ask_named(struct worker *w, struct str address)
{
	struct arena memory = { 0 };
	struct str canonical;
	enum err e = account_canonical(address, &memory, &canonical, NULL);
	struct asked *k = ask_new(w, ASKER_SYSTEM, STR_NONE, e ? STR_NONE : canonical);

	if (!e)
		k->address = str_dup(canonical);
	arena_free(&memory);
	return k;
}

static struct call *login_send(struct asked *k, unsigned type, login_done *done, void *user)
{
	k->done.login = done;
	return k->address ? ask_send(k, type, login_tell, user) : ask_refuse(k, ERR_DENIED, login_tell, user);
}

struct call *store_login(struct worker *w, struct str address, struct str password, login_done *done, void *user)
{
	struct asked *k = ask_named(w, address);

	pack_str(&k->args, password);
	return login_send(k, CALL_LOGIN, done, user);
}

/* --- by a proof that he has the password ------------------------------------------------------------------------------ */

/* The keys of whoever may log in. False: he may not, or has none. */
static bool keys_of(const struct task *t, struct scram_keys *keys)
{
	return t->h->settings.password.len && scram_keys_parse(t->h->settings.scram_sha_256, keys);
}

static void salt_account(struct task *t, enum err e)
{
	struct scram_keys keys;
	struct buf answer = { 0 };

	if (!e && !keys_of(t, &keys))
		e = ERR_ABSENT;
	if (!e) {
		pack_u32(&answer, keys.iterations);
		pack_str(&answer, (struct str){ (const char *)keys.salt, keys.salt_len });
	}
	task_end(t, e && e != ERR_ABSENT ? ERR_AGAIN : e, buf_str(&answer));
	buf_free(&answer);
}

void salt_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_SYSTEM);

	if (t && task_args_end(t))
		task_account(t, salt_account);
}

static void salt_tell(struct asked *k, enum err e, struct str answer)
{
	struct unpack u = unpack_of(answer);
	uint32_t iterations = unpack_u32(&u);
	struct str salt = unpack_str(&u);
	const struct store *st = k->w->store;
	struct scram_keys feigned;

	if (e == ERR_ABSENT) {
		scram_keys_feign(st->secret, str_of(k->address), (enum hash_cost)st->login->hash, &feigned);
		iterations = feigned.iterations;
		salt = (struct str){ (const char *)feigned.salt, feigned.salt_len };
		e = OK;
	} else if (!e && !unpack_end(&u)) {
		e = ERR_AGAIN;
	}
	k->done.salt(k->user, e, iterations, salt);
}

struct call *store_salt(struct worker *w, struct str address, salt_done *done, void *user)
{
	struct asked *k = ask_named(w, address);

	k->done.salt = done;
	if (k->address)
		return ask_send(k, CALL_SALT, salt_tell, user);
	k->address = str_dup(address);
	return ask_refuse(k, ERR_ABSENT, salt_tell, user);
}

static void proof_account(struct task *t, enum err e)
{
	struct str message = unpack_str(&t->args), proof = unpack_str(&t->args);
	uint8_t signature[SCRAM_KEY_BYTES];
	struct scram_keys keys = { 0 };

	if (e && e != ERR_ABSENT) {
		task_end(t, ERR_AGAIN, STR_NONE);
		return;
	}
	if (!task_args_end(t))
		return;
	/* as much work for those who are not there */
	bool known = !e && keys_of(t, &keys);
	bool right = proof.len == SCRAM_KEY_BYTES &&
	             scram_proof_right(&keys, message, (const uint8_t *)proof.p, signature);
	login_answer(t, known && right ? OK : ERR_DENIED, (struct str){ (const char *)signature, sizeof(signature) });
	explicit_bzero(&keys, sizeof(keys));
}

void proof_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_SYSTEM);

	if (t)
		task_account(t, proof_account);
}

struct call *store_login_proof(
	struct worker *w, struct str address, const struct login_proof *proof, login_done *done, void *user)
{
	struct asked *k = ask_named(w, address);

	pack_str(&k->args, proof->message);
	pack_str(&k->args, proof->proof);
	k->signature = proof->signature;
	return login_send(k, CALL_PROOF, done, user);
}

/* --- by a name that was proved otherwise ------------------------------------------------------------------------------- */

static void known_account(struct task *t, enum err e)
{
	if (e && e != ERR_ABSENT)
		e = ERR_AGAIN;
	else if (e || !t->h->settings.password.len)
		e = ERR_DENIED;
	login_answer(t, e, STR_NONE);
}

void known_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_SYSTEM);

	if (t && task_args_end(t))
		task_account(t, known_account);
}

struct call *store_login_known(struct worker *w, struct str address, login_done *done, void *user)
{
	return login_send(ask_named(w, address), CALL_KNOWN, done, user);
}
