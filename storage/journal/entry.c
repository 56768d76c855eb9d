/* entry.c - making an entry of the journal (journal.h): a row of packed operations. */
#include "core/mem.h"
#include "storage/journal/journal_parts.h"
#include "storage/journal/operation.h"
#include <assert.h>
#include <stdlib.h>

struct entry *entry_new(void)
{
	return mem_new(struct entry);
}

void entry_free(struct entry *e)
{
	if (!e)
		return;
	buf_free(&e->operations);
	free(e);
}

void entry_write(struct entry *e, const struct file_ref *f, uint64_t offset, struct str bytes)
{
	operation_pack(&e->operations, &(struct operation){ .kind = OP_WRITE,
					       .path = f->path,
					       .id = f->id,
					       .generation = f->generation,
					       .offset = offset,
					       .bytes = bytes });
}

void entry_write_spool(struct entry *e, const struct file_ref *f, uint64_t offset, struct str spool, uint64_t len)
{
	operation_pack(&e->operations, &(struct operation){ .kind = OP_SPOOL,
					       .path = f->path,
					       .id = f->id,
					       .generation = f->generation,
					       .offset = offset,
					       .other = spool,
					       .len = len });
	e->has |= HAS_SPOOLS;
	e->spooled += len;
}

void entry_put(struct entry *e, struct str path, struct str bytes)
{
	operation_pack(&e->operations, &(struct operation){ .kind = OP_PUT, .path = path, .bytes = bytes });
}

void entry_make_directory(struct entry *e, struct str path)
{
	operation_pack(&e->operations, &(struct operation){ .kind = OP_DIRECTORY, .path = path });
}

void entry_rename(struct entry *e, struct str from, struct str to)
{
	operation_pack(&e->operations, &(struct operation){ .kind = OP_RENAME, .path = from, .other = to });
	e->has |= HAS_RENAMES;
}

void entry_expect(struct entry *e, struct str path, const struct stamp *stamp)
{
	operation_pack_expect(&e->operations, path, stamp);
}

void entry_remove(struct entry *e, struct str path)
{
	operation_pack(&e->operations, &(struct operation){ .kind = OP_REMOVE, .path = path });
}

void entry_settled(struct entry *e, uint64_t id)
{
	assert(id);
	operation_pack(&e->operations, &(struct operation){ .kind = OP_SETTLED, .id = id });
}

void entry_name(struct entry *e, struct name name, struct str answer)
{
	operation_pack(&e->operations, &(struct operation){ .kind = OP_NAME, .name = name, .bytes = answer });
	e->has |= HAS_NAMES;
}

void entry_awaited(struct entry *e)
{
	e->awaited = true;
}

size_t entry_bytes(const struct entry *e)
{
	return buf_len(&e->operations);
}

uint64_t entry_length(const struct entry *e)
{
	return e->ours ? 0 : entry_bytes(e);
}

uint64_t entry_cost(const struct entry *e)
{
	return e->ours ? 0 : entry_bytes(e) + e->spooled;
}

void list_add(struct entry_list *l, struct entry *e)
{
	e->next = NULL;
	*(l->first ? &l->last->next : &l->first) = e;
	l->last = e;
}

struct entry *list_take(struct entry_list *l)
{
	struct entry *e = l->first;

	if (e)
		l->first = e->next;
	return e;
}

void list_move(struct entry_list *to, struct entry_list *from)
{
	if (!from->first)
		return;
	*(to->first ? &to->last->next : &to->first) = from->first;
	to->last = from->last;
	*from = (struct entry_list){ 0 };
}
