/* index.c - see index.h. A mailbox's record is written with its messages in one batch, so what LevelDB keeps of its log
 * after a crash is always the index as it once was. What does not fit one batch (forgetting a large mailbox) begins
 * with the record: messages without one are garbage, a record without its messages would be a lie. */
#include "core/mem.h"
#include "core/pack.h"
#include "storage/index/index_form.h"
#include "storage/index/index_shard.h"
#include <assert.h>
#include <stdlib.h>

#define BATCH_KEYS 10000 /* forgotten at a time */

/* Keys ----------------------------------------------------------------------------------------------- */

static void add_mailbox_key(struct buf *key, struct str address, struct str mailbox)
{
	buf_add_char(key, 'b');
	buf_add_str(key, address);
	buf_add_char(key, '\0');
	buf_add_str(key, mailbox);
}

static void add_big_endian(struct buf *key, uint64_t v, unsigned bytes)
{
	while (bytes--)
		buf_add_char(key, (char)(v >> 8 * bytes));
}

#define MESSAGE_KEY_BYTES 13

static void set_message_key(struct buf *key, uint64_t id, uint32_t uid)
{
	buf_clear(key);
	buf_add_char(key, 'm');
	add_big_endian(key, id, 8);
	add_big_endian(key, uid, 4);
}

static uint32_t uid_of_key(const char *key)
{
	const unsigned char *p = (const unsigned char *)key + MESSAGE_KEY_BYTES - 4;

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Work ------------------------------------------------------------------------------------------------------------ */

/* The database is open. ERR_ABSENT also after a failure. */
static enum err get_record(struct index *x, unsigned shard, struct str key, struct mailbox_record *r)
{
	char *error = NULL;
	size_t len;
	char *value = leveldb_get(x->shard[shard].db, x->read, key.p, key.len, &len, &error);
	enum err e = OK;

	if (error)
		e = shard_failed(x, shard, error);
	else if (!value)
		e = ERR_ABSENT;
	else if (!index_unpack_record((struct str){ value, len }, r))
		e = shard_failed(x, shard, "a mailbox's record is damaged");
	leveldb_free(value);
	leveldb_free(error);
	return e;
}

enum err index_get_work(
	struct index *x, unsigned shard, struct str address, struct str mailbox, struct mailbox_record *r)
{
	struct buf key = { 0 };
	enum err e = shard_open(x, shard);

	add_mailbox_key(&key, address, mailbox);
	if (!e)
		e = get_record(x, shard, buf_str(&key), r);
	buf_free(&key);
	return e;
}

static bool starts(leveldb_iterator_t *i, struct str prefix)
{
	struct str key = STR_NONE;

	if (leveldb_iter_valid(i))
		key.p = leveldb_iter_key(i, &key.len);
	return key.p && str_starts(key, prefix);
}

enum err index_messages_work(
	struct index *x, unsigned shard, uint64_t id, void (*each)(void *user, const struct message *m), void *user)
{
	enum err e = shard_open(x, shard);
	leveldb_iterator_t *i;
	struct buf prefix = { 0 };
	char *error = NULL;
	bool sound = true;

	if (e)
		return e;
	set_message_key(&prefix, id, 0);
	buf_cut(&prefix, MESSAGE_KEY_BYTES - 4);
	i = leveldb_create_iterator(x->shard[shard].db, x->scan);
	leveldb_iter_seek(i, buf_data(&prefix), buf_len(&prefix));
	for (; sound && starts(i, buf_str(&prefix)); leveldb_iter_next(i)) {
		struct message m = { 0 };
		struct str key, value;

		key.p = leveldb_iter_key(i, &key.len);
		value.p = leveldb_iter_value(i, &value.len);
		sound = key.len == MESSAGE_KEY_BYTES && index_unpack_message(value, &m);
		if (sound) {
			m.uid = uid_of_key(key.p);
			each(user, &m);
		}
	}
	leveldb_iter_get_error(i, &error);
	leveldb_iter_destroy(i);
	if (error || !sound)
		e = shard_failed(x, shard, error ? error : "a message's record is damaged");
	leveldb_free(error);
	buf_free(&prefix);
	return e;
}

enum err index_mailboxes_work(struct index *x, unsigned shard, struct str address,
	void (*each)(void *user, struct str mailbox, const struct mailbox_record *r), void *user)
{
	struct mailbox_record *r = mem_new(struct mailbox_record);
	enum err e = shard_open(x, shard);
	leveldb_iterator_t *i = NULL;
	struct buf prefix = { 0 };
	char *error = NULL;
	bool sound = true;

	add_mailbox_key(&prefix, address, STR_NONE);
	if (!e) {
		i = leveldb_create_iterator(x->shard[shard].db, x->scan);
		leveldb_iter_seek(i, buf_data(&prefix), buf_len(&prefix));
	}
	for (; !e && sound && starts(i, buf_str(&prefix)); leveldb_iter_next(i)) {
		struct str key, value;

		key.p = leveldb_iter_key(i, &key.len);
		value.p = leveldb_iter_value(i, &value.len);
		sound = index_unpack_record(value, r);
		if (sound)
			each(user, str_cut(key, buf_len(&prefix), key.len), r);
	}
	if (i) {
		leveldb_iter_get_error(i, &error);
		leveldb_iter_destroy(i);
	}
	if (error || !sound)
		e = shard_failed(x, shard, error ? error : "a mailbox's record is damaged");
	leveldb_free(error);
	buf_free(&prefix);
	free(r);
	return e;
}

/* Writes a batch and empties it. */
static enum err write_batch(struct index *x, unsigned shard, leveldb_writebatch_t *batch)
{
	char *error = NULL;
	enum err e = OK;

	leveldb_write(x->shard[shard].db, x->write, batch, &error);
	leveldb_writebatch_clear(batch);
	if (error)
		e = shard_failed(x, shard, error);
	leveldb_free(error);
	return e;
}

/* Adds to a batch, which begins with the mailbox's record, that all messages of `id` go; what is too much for one is
 * written. */
static enum err forget_messages(struct index *x, unsigned shard, uint64_t id, leveldb_writebatch_t *batch)
{
	leveldb_iterator_t *i = leveldb_create_iterator(x->shard[shard].db, x->scan);
	struct buf prefix = { 0 };
	char *error = NULL;
	enum err e = OK;
	unsigned keys = 0;

	set_message_key(&prefix, id, 0);
	buf_cut(&prefix, MESSAGE_KEY_BYTES - 4);
	leveldb_iter_seek(i, buf_data(&prefix), buf_len(&prefix));
	for (; !error && starts(i, buf_str(&prefix)); leveldb_iter_next(i)) {
		size_t len;
		const char *key = leveldb_iter_key(i, &len);

		leveldb_writebatch_delete(batch, key, len);
		if (++keys % BATCH_KEYS == 0) {
			leveldb_write(x->shard[shard].db, x->write, batch, &error);
			leveldb_writebatch_clear(batch);
		}
	}
	if (!error)
		leveldb_iter_get_error(i, &error);
	leveldb_iter_destroy(i); /* before the database could be closed */
	if (error)
		e = shard_failed(x, shard, error);
	leveldb_free(error);
	buf_free(&prefix);
	return e;
}

/* Before a batch of index_put_work: what it stands upon, or that nothing is left of what was. */
static enum err prepare(struct index *x, unsigned shard, struct str key, bool whole, const struct mailbox_record *r,
	uint64_t *id, leveldb_writebatch_t *batch)
{
	struct mailbox_record was;
	enum err e = get_record(x, shard, key, &was);

	if (!whole) {
		if (!e && r && (was.head.id != r->head.id || was.head.generation != r->head.generation))
			e = ERR_ABSENT;
		*id = e ? 0 : was.head.id;
		return e;
	}
	*id = r->head.id;
	if (e && e != ERR_ABSENT)
		return e;
	leveldb_writebatch_delete(batch, key.p, key.len);
	if (!e && was.head.id != r->head.id) /* a mailbox deleted and made again under its name */
		e = forget_messages(x, shard, was.head.id, batch);
	else
		e = OK;
	return e ? e : forget_messages(x, shard, r->head.id, batch);
}

enum err index_put_work(struct index *x, unsigned shard, struct str address, struct str mailbox, bool whole,
	const struct mailbox_record *r, const struct message *messages, size_t count)
{
	leveldb_writebatch_t *batch = leveldb_writebatch_create();
	struct buf key = { 0 }, value = { 0 };
	enum err e = shard_open_to_change(x, shard);
	uint64_t id = 0;

	assert(r || !whole);
	add_mailbox_key(&key, address, mailbox);
	if (!e)
		e = prepare(x, shard, buf_str(&key), whole, r, &id, batch);
	if (!e && r) {
		index_pack_record(&value, r);
		leveldb_writebatch_put(batch, buf_data(&key), buf_len(&key), buf_data(&value), buf_len(&value));
	}
	for (size_t i = 0; !e && i < count; i++) {
		if (whole && messages[i].flags & FLAG_EXPUNGED)
			continue;
		set_message_key(&key, id, messages[i].uid);
		if (messages[i].flags & FLAG_EXPUNGED) {
			leveldb_writebatch_delete(batch, buf_data(&key), buf_len(&key));
		} else {
			buf_clear(&value);
			index_pack_message(&value, &messages[i]);
			leveldb_writebatch_put(batch, buf_data(&key), buf_len(&key), buf_data(&value), buf_len(&value));
		}
	}
	if (!e)
		e = write_batch(x, shard, batch);
	leveldb_writebatch_destroy(batch);
	buf_free(&key);
	buf_free(&value);
	return e;
}

static enum err remove_mailbox(struct index *x, unsigned shard, struct str key, uint64_t id)
{
	leveldb_writebatch_t *batch = leveldb_writebatch_create();
	enum err e;

	leveldb_writebatch_delete(batch, key.p, key.len);
	e = forget_messages(x, shard, id, batch);
	if (!e)
		e = write_batch(x, shard, batch);
	leveldb_writebatch_destroy(batch);
	return e == ERR_ABSENT ? OK : e;
}

enum err index_remove_work(struct index *x, unsigned shard, struct str address, struct str mailbox, uint64_t id)
{
	struct buf key = { 0 };
	enum err e = shard_open_to_change(x, shard);

	add_mailbox_key(&key, address, mailbox);
	if (!e)
		e = remove_mailbox(x, shard, buf_str(&key), id);
	buf_free(&key);
	return e;
}

enum err index_rename_work(struct index *x, unsigned shard, struct str address, struct str from, struct str to)
{
	leveldb_writebatch_t *batch = leveldb_writebatch_create();
	struct buf old = { 0 }, new = { 0 }, value = { 0 };
	struct mailbox_record r;
	enum err e = shard_open_to_change(x, shard);

	add_mailbox_key(&old, address, from);
	add_mailbox_key(&new, address, to);
	if (!e)
		e = get_record(x, shard, buf_str(&old), &r);
	if (!e) {
		index_pack_record(&value, &r);
		leveldb_writebatch_delete(batch, buf_data(&old), buf_len(&old));
		leveldb_writebatch_put(batch, buf_data(&new), buf_len(&new), buf_data(&value), buf_len(&value));
		e = write_batch(x, shard, batch);
	}
	leveldb_writebatch_destroy(batch);
	buf_free(&old);
	buf_free(&new);
	buf_free(&value);
	return e == ERR_ABSENT ? OK : e;
}

/* The first mailbox whose key begins with prefix. */
static enum err first_mailbox(struct index *x, unsigned shard, struct str prefix, struct buf *key, uint64_t *id)
{
	leveldb_iterator_t *i = leveldb_create_iterator(x->shard[shard].db, x->read);
	struct mailbox_record r;
	char *error = NULL;
	enum err e = ERR_ABSENT;
	bool sound = true;

	buf_clear(key);
	leveldb_iter_seek(i, prefix.p, prefix.len);
	if (starts(i, prefix)) {
		struct str at, value;

		at.p = leveldb_iter_key(i, &at.len);
		value.p = leveldb_iter_value(i, &value.len);
		sound = index_unpack_record(value, &r);
		buf_add_str(key, at);
		*id = r.head.id;
		e = OK;
	}
	leveldb_iter_get_error(i, &error);
	leveldb_iter_destroy(i);
	if (error || !sound)
		e = shard_failed(x, shard, error ? error : "a mailbox's record is damaged");
	leveldb_free(error);
	return e;
}

enum err index_remove_account_work(struct index *x, unsigned shard, struct str address)
{
	struct buf prefix = { 0 }, key = { 0 };
	enum err e = shard_open_to_change(x, shard);
	uint64_t id = 0;

	add_mailbox_key(&prefix, address, STR_NONE);
	while (!e) {
		e = first_mailbox(x, shard, buf_str(&prefix), &key, &id);
		if (!e)
			e = remove_mailbox(x, shard, buf_str(&key), id);
	}
	buf_free(&prefix);
	buf_free(&key);
	return e == ERR_ABSENT ? OK : e;
}
