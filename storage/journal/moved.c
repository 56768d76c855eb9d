/* moved.c - see moved.h.
 * What was moved is kept with all directories above it: a directory put in their place would bring back what was
 * moved from inside it. Sequences are counted from 1 here. */
#include "storage/journal/moved.h"
#include "core/mem.h"
#include "storage/journal/marks.h"
#include "storage/journal/operation.h"
#include <stdlib.h>

struct moved {
	struct marks *paths;
	struct marks *above; /* the directories that these were in */
};

struct moved *moved_new(void)
{
	struct moved *m = mem_new(struct moved);

	m->paths = marks_new();
	m->above = marks_new();
	return m;
}

void moved_free(struct moved *m)
{
	if (!m)
		return;
	marks_free(m->paths);
	marks_free(m->above);
	free(m);
}

/* before: the directory of the path added before, which is there with those above it. */
static void add_operation(struct moved *m, const struct operation *op, uint64_t sequence, struct str *before)
{
	struct str directory;

	if (op->kind != OP_RENAME)
		return;
	directory = str_cut(op->path, 0, (size_t)(str_rfind(op->path, '/') + 1));
	marks_raise(m->paths, op->path, sequence + 1);
	if (!str_eq(directory, *before))
		marks_raise_parents(m->above, op->path, sequence + 1);
	*before = directory;
}

void moved_add(struct moved *m, struct str operations, uint64_t sequence)
{
	struct unpack u = unpack_of(operations);
	struct str before = STR_NONE;
	struct operation op;

	while (operation_next(&u, &op))
		add_operation(m, &op, sequence, &before);
}

void moved_checkpoint(struct moved *m, uint64_t checkpoint)
{
	marks_drop_below(m->paths, checkpoint + 1);
	marks_drop_below(m->above, checkpoint + 1);
}

static bool blocks_operation(const struct moved *m, const struct operation *op)
{
	switch (op->kind) {
	case OP_WRITE:
	case OP_SPOOL:
	case OP_PUT:
	case OP_DIRECTORY:
		return marks_of_path(m->paths, op->path) > 0;
	case OP_RENAME:
		return marks_of_path(m->paths, op->other) > 0 || marks_get(m->above, op->other) > 0 ||
		       marks_count(m->paths) >= MOVED_MAX;
	default:
		return false;
	}
}

bool moved_blocks(const struct moved *m, struct str operations)
{
	struct unpack u = unpack_of(operations);
	struct operation op;

	if (!marks_count(m->paths))
		return false;
	while (operation_next(&u, &op))
		if (blocks_operation(m, &op))
			return true;
	return false;
}

bool moved_contradicts(struct str operations)
{
	struct unpack u = unpack_of(operations);
	struct moved *m = moved_new();
	struct str before = STR_NONE;
	struct operation op;
	bool does = false;

	while (!does && operation_next(&u, &op)) {
		does = blocks_operation(m, &op);
		add_operation(m, &op, 0, &before);
	}
	moved_free(m);
	return does;
}
