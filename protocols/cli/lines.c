/* lines.c - see lines.h. */
#include "protocols/cli/lines.h"
#include "core/mem.h"
#include "core/plain.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define COLUMNS_MAX 16 /* more are not printed */

void lines_add_json(struct buf *out, json_t *line)
{
	size_t room = json_dumpb(line, NULL, 0, JSON_COMPACT);
	char *at = buf_room(out, room + 1);

	assert(room > 0); /* an object can always be written */
	json_dumpb(line, at, room, JSON_COMPACT);
	at[room] = '\n';
	buf_added(out, room + 1);
	json_decref(line);
}

static int by_text(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

void lines_sort(struct buf *text)
{
	struct buf sorted = { 0 };
	struct str *lines = mem_alloc((buf_len(text) + 1) * sizeof(*lines)), left = buf_str(text);
	size_t count = 0;
	ptrdiff_t end;

	while ((end = str_find(left, '\n')) >= 0) {
		lines[count++] = str_cut(left, 0, (size_t)end + 1);
		left = str_cut(left, (size_t)end + 1, left.len);
	}
	qsort(lines, count, sizeof(*lines), by_text);
	for (size_t i = 0; i < count; i++)
		buf_add_str(&sorted, lines[i]);
	free(lines);
	buf_free(text);
	*text = sorted;
}

/* Calls `take` for each cell. */
static void each_cell(
	struct str lines, void (*take)(size_t *widths, size_t column, struct str cell, bool last), size_t *widths)
{
	size_t column = 0, start = 0;

	for (size_t i = 0; i < lines.len; i++) {
		if (lines.p[i] != '\t' && lines.p[i] != '\n')
			continue;
		if (column < COLUMNS_MAX)
			take(widths, column, str_cut(lines, start, i), lines.p[i] == '\n');
		column = lines.p[i] == '\n' ? 0 : column + 1;
		start = i + 1;
	}
}

static void measure_cell(size_t *widths, size_t column, struct str cell, bool last)
{
	if (!last && cell.len > widths[column])
		widths[column] = cell.len;
}

void lines_put(struct str text)
{
	while (text.len) {
		size_t size = plain_size(text);

		if (size)
			fwrite(text.p, 1, size, stdout);
		else
			putchar('?');
		text = str_cut(text, size ? size : 1, text.len);
	}
}

static void print_cell(size_t *widths, size_t column, struct str cell, bool last)
{
	lines_put(cell);
	if (last)
		putchar('\n');
	else
		printf("%*s", (int)(widths[column] - cell.len + 2), "");
}

void lines_print(struct str lines)
{
	size_t widths[COLUMNS_MAX] = { 0 };

	each_cell(lines, measure_cell, widths);
	each_cell(lines, print_cell, widths);
}
