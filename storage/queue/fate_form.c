/* fate_form.c - see fate_form.h. */
#include "storage/queue/fate_form.h"
#include "storage/queue/envelope_form.h"
#include <inttypes.h>
#include <unistd.h>

#define VERSION 1
#define HEAD    STR("postern-queue-state ")

void fate_print_head(struct buf *out)
{
	buf_printf(out, STR_FMT "%d\n", STR_ARG(HEAD), VERSION);
}

/* What others said may have any bytes; what cannot be a text again is a space. */
static void words_add(struct buf *out, const char *key, struct str words, size_t max, bool lines)
{
	struct buf clean = { 0 };

	for (size_t i = 0; i < words.len && i < max; i++) {
		unsigned char c = (unsigned char)words.p[i];

		buf_add_char(&clean, (c < ' ' && !(lines && c == '\n')) || c == 0x7f ? ' ' : words.p[i]);
	}
	word_add(out, key, buf_str(&clean));
	buf_free(&clean);
}

void fate_print(struct buf *out, uint64_t id, uint32_t number, const struct queue_change *c)
{
	char text[QUEUE_ID_SIZE];

	if (c->fate == FATE_ENDED) {
		fate_print_ended(out, id, number, number);
		return;
	}
	buf_printf(out, "%s %s %" PRIu32, c->fate == FATE_HELD ? "held" : "waits", queue_id_print(text, id), number);
	buf_printf(out, " next=%" PRIu32, c->next_s);
	if (c->tries)
		buf_printf(out, " tries=%u", c->tries);
	if (c->ready_s)
		buf_printf(out, " ready=%" PRIu32, c->ready_s);
	if (c->warned_s)
		buf_printf(out, " warned=%" PRIu32, c->warned_s);
	if (c->to.len)
		word_add(out, "to", c->to);
	if (c->keeps) {
		buf_add_str(out, STR(" kept\n"));
		return;
	}
	words_add(out, "status", c->status, FATE_STATUS_MAX, false);
	words_add(out, "reply", c->reply, FATE_REPLY_MAX, true);
	words_add(out, "remote", c->remote, FATE_REMOTE_MAX, false);
	buf_add_char(out, '\n');
}

void fate_print_ended(struct buf *out, uint64_t id, uint32_t first, uint32_t last)
{
	char text[QUEUE_ID_SIZE];

	buf_printf(out, "ended %s %" PRIu32, queue_id_print(text, id), first);
	if (last > first)
		buf_printf(out, ":%" PRIu32, last);
	buf_add_char(out, '\n');
}

void fate_print_moved(struct buf *out, uint64_t id)
{
	char text[QUEUE_ID_SIZE];

	buf_printf(out, "moved %s\n", queue_id_print(text, id));
}

/* A reply's lines are joined by LF: unlike other texts it may hold these. */
static bool reply_of(struct str value, struct arena *a, struct str *reply)
{
	struct str all;
	bool good = true;

	word_text(value, FATE_REPLY_MAX, a, &all);
	*reply = all;
	for (size_t i = 0; i < all.len; i++)
		good &= ((unsigned char)all.p[i] >= ' ' && all.p[i] != 0x7f) || all.p[i] == '\n';
	return good && all.len <= FATE_REPLY_MAX;
}

bool fate_to_good(struct str to)
{
	for (size_t i = 0; i < to.len; i++)
		if (!(to.p[i] >= '0' && to.p[i] <= '9') && !(to.p[i] >= 'a' && to.p[i] <= 'z') &&
			!(to.p[i] >= 'A' && to.p[i] <= 'Z') && !memchr("-._:[]", to.p[i], 6))
			return false;
	return to.len && to.len <= FATE_TO_MAX;
}

static bool read_word(struct str key, struct str value, struct fate *f, struct arena *a)
{
	uint32_t tries;

	if (str_eq(key, STR("next")))
		return str_u32(value, &f->next_s);
	if (str_eq(key, STR("to"))) {
		f->to = value;
		return fate_to_good(value);
	}
	if (str_eq(key, STR("ready")))
		return str_u32(value, &f->ready_s);
	if (str_eq(key, STR("tries"))) {
		if (!str_u32(value, &tries) || tries > UINT16_MAX)
			return false;
		f->tries = (uint16_t)tries;
	} else if (str_eq(key, STR("warned"))) {
		if (value.len)
			return str_u32(value, &f->warned_s);
		f->warned_s = f->next_s; /* which stands before it */
	} else if (str_eq(key, STR("kept"))) {
		f->keeps = true;
	} else if (a && str_eq(key, STR("status"))) {
		return word_text(value, FATE_STATUS_MAX, a, &f->status);
	} else if (a && str_eq(key, STR("reply"))) {
		return reply_of(value, a, &f->reply);
	} else if (a && str_eq(key, STR("remote"))) {
		return word_text(value, FATE_REMOTE_MAX, a, &f->remote);
	}
	return true;
}

static bool read_numbers(struct str word, struct fate *f)
{
	ptrdiff_t colon = str_find(word, ':');

	if (colon < 0 || f->kind != FATE_LINE_ENDED)
		return str_u32(word, &f->first) && str_u32(word, &f->last);
	return str_u32(str_cut(word, 0, (size_t)colon), &f->first) &&
	       str_u32(str_cut(word, (size_t)colon + 1, word.len), &f->last) && f->first <= f->last;
}

enum fate_told fate_read(struct str line, struct fate *f, struct arena *a)
{
	static const struct str kinds[] = { { "waits", 5 }, { "held", 4 }, { "ended", 5 }, { "moved", 5 } };
	struct str word, key, value;
	uint32_t version;
	size_t kind = 0;

	*f = (struct fate){ 0 };
	if (str_starts(line, HEAD)) {
		line = str_cut(line, HEAD.len, line.len);
		if (!str_u32(str_word(&line), &version))
			return FATE_BAD;
		return version > VERSION ? FATE_NEWER : FATE_HEAD;
	}
	word = str_word(&line);
	while (kind < sizeof(kinds) / sizeof(kinds[0]) && !str_eq(word, kinds[kind]))
		kind++;
	f->kind = (enum fate_kind)kind;
	if (kind == sizeof(kinds) / sizeof(kinds[0]) || !queue_id_read(str_word(&line), &f->id))
		return FATE_BAD;
	if (f->kind == FATE_LINE_MOVED)
		f->last = UINT32_MAX;
	else if (!read_numbers(str_word(&line), f))
		return FATE_BAD;
	while (word_take(&line, &key, &value))
		if (!read_word(key, value, f, a))
			return FATE_BAD;
	return FATE_WELL;
}

bool fate_read_at(int fd, uint64_t at, uint64_t id, uint32_t number, struct fate *f, struct arena *a)
{
	char bytes[FATE_LINE_MAX];
	ssize_t n = pread(fd, bytes, sizeof(bytes), (off_t)at);
	struct str line = { bytes, n > 0 ? (size_t)n : 0 };
	ptrdiff_t lf = str_find(line, '\n');

	if (lf >= 0)
		line = arena_str(a, str_cut(line, 0, (size_t)lf));
	if (lf >= 0 && fate_read(line, f, a) == FATE_WELL && f->id == id && f->first == number)
		return true;
	*f = (struct fate){ 0 };
	return false;
}
