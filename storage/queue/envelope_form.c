/* envelope_form.c - see envelope_form.h. What prints a line stands by what reads it. */
#include "storage/queue/envelope_form.h"
#include "core/crc32c.h"
#include "storage/mail/percent.h"
#include "storage/mailbox/mbox.h"
#include <assert.h>
#include <inttypes.h>

#define VERSION  1
#define HEAD     STR("X-Postern-Queue: ")
#define ENVELOPE STR("X-Postern-Envelope:")
#define TO       STR("X-Postern-To: ")
#define CRC      STR(" crc=")
#define CRC_LINE 14 /* " crc=90ab12cd\n" */
#define TO_MIN   17 /* bytes of the shortest line of a recipient: "X-Postern-To: 0 a" */

static const char *const bodies[] = { "7bit", "8bitmime", "binarymime" };
static const char *const rets[] = { "", "full", "hdrs" };
static const char *const bys[] = { "", "return", "notify" };
static const struct {
	unsigned bit;
	struct str word;
} notifies[] = {
	{ NOTIFY_NEVER, { "never", 5 } },
	{ NOTIFY_SUCCESS, { "success", 7 } },
	{ NOTIFY_FAILURE, { "failure", 7 } },
	{ NOTIFY_DELAY, { "delay", 5 } },
};

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

/* --- words ----------------------------------------------------------------------------------------------------------- */

static bool is_plain(char c)
{
	return (unsigned char)c > ' ' && c != 0x7f && c != '%';
}

void word_add(struct buf *out, const char *key, struct str value)
{
	size_t plain = 0;

	if (!value.len)
		return;
	buf_add_char(out, ' ');
	buf_add_str(out, str_of(key));
	buf_add_char(out, '=');
	for (size_t i = 0; i < value.len; i++) {
		if (is_plain(value.p[i]))
			continue;
		buf_add(out, value.p + plain, i - plain);
		percent_add(out, value.p[i]);
		plain = i + 1;
	}
	buf_add(out, value.p + plain, value.len - plain);
}

bool word_take(struct str *line, struct str *key, struct str *value)
{
	struct str word = str_word(line);
	ptrdiff_t equals = str_find(word, '=');

	*key = equals < 0 ? word : str_cut(word, 0, (size_t)equals);
	*value = equals < 0 ? STR_NONE : str_cut(word, (size_t)equals + 1, word.len);
	return word.len > 0;
}

static bool is_text(struct str s, size_t max)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return s.len <= max;
}

bool word_text(struct str value, size_t max, struct arena *a, struct str *text)
{
	struct buf b = { 0 };

	*text = value;
	if (str_find(value, '%') >= 0) {
		percent_decode(&b, value);
		*text = arena_str(a, buf_str(&b));
		buf_free(&b);
	}
	return is_text(*text, max);
}

static bool text_of(struct str value, struct arena *a, struct str *text)
{
	return word_text(value, ENVELOPE_TEXT_MAX, a, text);
}

static void number_add(struct buf *out, const char *key, int64_t number)
{
	if (number)
		buf_printf(out, " %s=%" PRId64, key, number);
}

static bool number_of(struct str value, int64_t *number)
{
	bool below = value.len && value.p[0] == '-';
	uint64_t size;

	if (!str_u64(below ? str_cut(value, 1, value.len) : value, &size) || size > INT64_MAX)
		return false;
	*number = below ? -(int64_t)size : (int64_t)size;
	return true;
}

static bool choice_of(struct str value, const char *const *words, size_t count, int *chosen)
{
	for (size_t i = 0; i < count; i++)
		if (str_eq(value, str_of(words[i]))) {
			*chosen = (int)i;
			return true;
		}
	return false;
}

static void notify_add(struct buf *out, unsigned notify)
{
	const char *before = " notify=";

	for (size_t i = 0; i < COUNT_OF(notifies); i++)
		if (notify & notifies[i].bit) {
			buf_add_str(out, str_of(before));
			buf_add_str(out, notifies[i].word);
			before = ",";
		}
}

static bool notify_of(struct str value, unsigned *notify)
{
	while (value.len) {
		ptrdiff_t comma = str_find(value, ',');
		struct str word = comma < 0 ? value : str_cut(value, 0, (size_t)comma);

		for (size_t i = 0; i < COUNT_OF(notifies); i++)
			if (str_eq(word, notifies[i].word))
				*notify |= notifies[i].bit;
		value = str_cut(value, comma < 0 ? value.len : (size_t)comma + 1, value.len);
	}
	return true;
}

/* --- writing --------------------------------------------------------------------------------------------------------- */

bool envelope_form_takes(const struct queue_envelope *e)
{
	const struct str texts[] = { e->sender, e->id, e->account, e->peer, e->envid };

	for (size_t i = 0; i < COUNT_OF(texts); i++)
		if (!is_text(texts[i], ENVELOPE_TEXT_MAX))
			return false;
	return true;
}

bool envelope_form_takes_recipient(const struct queue_recipient *r)
{
	return r->address.len && is_text(r->address, ENVELOPE_TEXT_MAX) && is_text(r->original, ENVELOPE_TEXT_MAX) &&
	       is_text(r->orcpt, ENVELOPE_TEXT_MAX);
}

static void print_envelope(struct buf *out, const struct queue_envelope *e)
{
	buf_add_str(out, ENVELOPE);
	word_add(out, "sender", e->sender);
	number_add(out, "arrived", e->arrived_s);
	word_add(out, "id", e->id);
	word_add(out, "account", e->account);
	word_add(out, "peer", e->peer);
	word_add(out, "envid", e->envid);
	word_add(out, "body", e->body ? str_of(bodies[e->body]) : STR_NONE);
	if (e->utf8)
		buf_add_str(out, STR(" utf8"));
	if (e->utf8_needed)
		buf_add_str(out, STR(" utf8-needed"));
	word_add(out, "ret", str_of(rets[e->ret]));
	number_add(out, "priority", e->priority);
	number_add(out, "release", e->release_s);
	number_add(out, "by", e->by_s);
	word_add(out, "by-mode", str_of(bys[e->by]));
	if (e->by_trace)
		buf_add_str(out, STR(" by-trace"));
	if (e->held)
		buf_add_str(out, STR(" held"));
	buf_add_char(out, '\n');
}

void envelope_form_recipient(struct buf *out, size_t number, const struct queue_recipient *r)
{
	buf_add_str(out, TO);
	buf_add_number(out, number);
	word_add(out, "address", r->address);
	if (r->local)
		buf_add_str(out, STR(" local"));
	if (r->tried.life)
		buf_printf(out, " tried=%llx-%llx", (unsigned long long)r->tried.life,
			(unsigned long long)r->tried.number);
	notify_add(out, r->notify);
	word_add(out, "orcpt", r->orcpt);
	word_add(out, "original", r->original);
	buf_add_char(out, '\n');
}

/* Room for postmark and first line, which tell how long the rest is and stand before it all the same. */
void envelope_form_begin(struct buf *out, const struct queue_envelope *e)
{
	assert(!buf_len(out));
	buf_room(out, ENVELOPE_HEAD_MAX);
	buf_added(out, ENVELOPE_HEAD_MAX);
	print_envelope(out, e);
}

void envelope_form_end(struct buf *out, struct envelope_head *h, const struct queue_envelope *e)
{
	struct str lines = str_cut(buf_str(out), ENVELOPE_HEAD_MAX, buf_len(out));
	struct buf head = { 0 };
	char id[QUEUE_ID_SIZE];
	size_t postmark;
	uint32_t crc;

	mbox_postmark_print(&head, e->sender, e->arrived_s);
	postmark = buf_len(&head);
	buf_printf(&head,
		"X-Postern-Queue: %d %s bytes=%zu stored=%" PRIu64 " wire=%" PRIu64 " header=%" PRIu32 " to=%zu",
		VERSION, queue_id_print(id, h->id), lines.len, h->stored, h->wire, h->header, e->count);
	crc = crc32c(crc32c(0, str_cut(buf_str(&head), postmark, buf_len(&head))), lines);
	buf_printf(&head, STR_FMT "%08" PRIx32 "\n", STR_ARG(CRC), crc);
	h->lines = (uint32_t)buf_len(&head);
	h->prefix = (uint32_t)(buf_len(&head) + lines.len);
	assert(buf_len(&head) <= ENVELOPE_HEAD_MAX);
	buf_take(out, ENVELOPE_HEAD_MAX - buf_len(&head));
	memcpy(buf_data(out), buf_data(&head), buf_len(&head));
	buf_free(&head);
}

void envelope_form_print(struct buf *out, struct envelope_head *h, const struct queue_envelope *e)
{
	struct buf whole = { 0 };

	envelope_form_begin(&whole, e);
	for (size_t i = 0; i < e->count; i++)
		envelope_form_recipient(&whole, i, &e->recipients[i]);
	envelope_form_end(&whole, h, e);
	buf_add_str(out, buf_str(&whole));
	buf_free(&whole);
}

/* --- reading --------------------------------------------------------------------------------------------------------- */

/* Takes a line, without its LF, off the front. False: there is no whole one. */
static bool line_take(struct str *bytes, struct str *line)
{
	ptrdiff_t end = str_find(*bytes, '\n');

	if (end < 0)
		return false;
	*line = str_cut(*bytes, 0, (size_t)end);
	*bytes = str_cut(*bytes, (size_t)end + 1, bytes->len);
	return true;
}

/* "1 q0-1f3a bytes=164 stored=812 ..." */
static enum envelope_told read_numbers(struct str line, struct envelope_head *h, uint64_t *bytes)
{
	uint64_t header = 0, count = 0;
	const struct {
		struct str key;
		uint64_t *to;
	} numbers[] = {
		{ STR("bytes"), bytes },
		{ STR("stored"), &h->stored },
		{ STR("wire"), &h->wire },
		{ STR("header"), &header },
		{ STR("to"), &count },
	};
	unsigned found = 0;
	struct str key, value;
	uint32_t version;

	if (!str_u32(str_word(&line), &version))
		return ENVELOPE_BAD;
	if (version > VERSION)
		return ENVELOPE_NEWER;
	if (!queue_id_read(str_word(&line), &h->id))
		return ENVELOPE_BAD;
	while (word_take(&line, &key, &value))
		for (size_t i = 0; i < COUNT_OF(numbers); i++)
			if (str_eq(key, numbers[i].key) && str_u64(value, numbers[i].to))
				found |= 1u << i;
	h->header = (uint32_t)header;
	h->count = (uint32_t)count;
	return found == (1u << COUNT_OF(numbers)) - 1 && h->stored <= UINT32_MAX && h->wire <= UINT32_MAX &&
	                       header <= h->stored && *bytes <= INT32_MAX && count && count <= *bytes / TO_MIN
	               ? ENVELOPE_WELL
	               : ENVELOPE_BAD;
}

enum envelope_told envelope_form_head(struct str bytes, struct envelope_head *h)
{
	struct str whole = str_cut(bytes, 0, bytes.len < ENVELOPE_HEAD_MAX ? bytes.len : ENVELOPE_HEAD_MAX);
	struct str left = whole, postmark, line, sender;
	enum envelope_told told;
	uint64_t lines = 0;
	int64_t date;

	*h = (struct envelope_head){ 0 };
	if (!line_take(&left, &postmark) || !line_take(&left, &line))
		return whole.len < ENVELOPE_HEAD_MAX ? ENVELOPE_SHORT : ENVELOPE_BAD;
	if (!mbox_postmark(postmark, &sender, &date) || !str_starts(line, HEAD))
		return ENVELOPE_BAD;
	told = read_numbers(str_cut(line, HEAD.len, line.len), h, &lines);
	h->lines = (uint32_t)(whole.len - left.len);
	h->prefix = h->lines + (uint32_t)lines;
	return told;
}

static bool crc_is_right(struct str bytes, const struct envelope_head *h)
{
	ptrdiff_t postmark = str_find(bytes, '\n');
	struct str line = str_cut(bytes, (size_t)postmark + 1, h->lines), told;
	uint64_t crc;

	if (line.len < CRC_LINE)
		return false;
	told = str_cut(line, line.len - CRC_LINE, line.len - 1);
	line.len -= CRC_LINE;
	return str_starts(told, CRC) && str_hex(str_cut(told, CRC.len, told.len), &crc) &&
	       crc == crc32c(crc32c(0, line), str_cut(bytes, h->lines, h->prefix));
}

static bool read_envelope_word(struct str key, struct str value, struct queue_envelope *e, struct arena *a)
{
	const struct {
		struct str key;
		struct str *to;
	} texts[] = {
		{ STR("sender"), &e->sender },
		{ STR("id"), &e->id },
		{ STR("account"), &e->account },
		{ STR("peer"), &e->peer },
		{ STR("envid"), &e->envid },
	};
	const struct {
		struct str key;
		int64_t *to;
	} numbers[] = {
		{ STR("arrived"), &e->arrived_s },
		{ STR("release"), &e->release_s },
		{ STR("by"), &e->by_s },
	};
	const struct {
		struct str key;
		bool *to;
	} marks[] = {
		{ STR("utf8"), &e->utf8 },
		{ STR("utf8-needed"), &e->utf8_needed },
		{ STR("by-trace"), &e->by_trace },
		{ STR("held"), &e->held },
	};
	int64_t priority;
	int chosen = 0;

	for (size_t i = 0; i < COUNT_OF(texts); i++)
		if (str_eq(key, texts[i].key))
			return text_of(value, a, texts[i].to);
	for (size_t i = 0; i < COUNT_OF(numbers); i++)
		if (str_eq(key, numbers[i].key))
			return number_of(value, numbers[i].to);
	for (size_t i = 0; i < COUNT_OF(marks); i++)
		if (str_eq(key, marks[i].key))
			return *marks[i].to = true;
	if (str_eq(key, STR("body")) && choice_of(value, bodies, COUNT_OF(bodies), &chosen))
		e->body = (enum queue_body)chosen;
	else if (str_eq(key, STR("ret")) && choice_of(value, rets, COUNT_OF(rets), &chosen))
		e->ret = (enum queue_ret)chosen;
	else if (str_eq(key, STR("by-mode")) && choice_of(value, bys, COUNT_OF(bys), &chosen))
		e->by = (enum queue_deliver_by)chosen;
	else if (str_eq(key, STR("priority")) && number_of(value, &priority) && priority >= -9 && priority <= 9)
		e->priority = (int)priority;
	return true;
}

static bool name_of(struct str value, struct name *name)
{
	ptrdiff_t dash = str_find(value, '-');

	return dash > 0 && str_hex(str_cut(value, 0, (size_t)dash), &name->life) &&
	       str_hex(str_cut(value, (size_t)dash + 1, value.len), &name->number);
}

static bool read_recipient(struct str line, uint32_t number, struct queue_recipient *r, struct arena *a)
{
	struct str key, value;
	bool good = true;

	if (!str_starts(line, TO))
		return false;
	line = str_cut(line, TO.len, line.len);
	if (!str_u32(str_word(&line), &r->number) || r->number != number)
		return false;
	while (good && word_take(&line, &key, &value))
		if (str_eq(key, STR("address")))
			good = text_of(value, a, &r->address);
		else if (str_eq(key, STR("local")))
			r->local = true;
		else if (str_eq(key, STR("tried")))
			good = name_of(value, &r->tried);
		else if (str_eq(key, STR("notify")))
			good = notify_of(value, &r->notify);
		else if (str_eq(key, STR("orcpt")))
			good = text_of(value, a, &r->orcpt);
		else if (str_eq(key, STR("original")))
			good = text_of(value, a, &r->original);
	return good && r->address.len;
}

bool envelope_form_read(struct str bytes, const struct envelope_head *h, struct queue_envelope *e, struct arena *a)
{
	struct str left = str_cut(bytes, h->lines, h->prefix), line, key, value;
	struct queue_recipient *recipients;

	*e = (struct queue_envelope){ 0 };
	if (!crc_is_right(bytes, h) || !line_take(&left, &line) || !str_starts(line, ENVELOPE))
		return false;
	line = str_cut(line, ENVELOPE.len, line.len);
	while (word_take(&line, &key, &value))
		if (!read_envelope_word(key, value, e, a))
			return false;
	recipients = arena_alloc(a, h->count * sizeof(*recipients));
	for (uint32_t i = 0; i < h->count; i++)
		if (!line_take(&left, &line) || !read_recipient(line, i, &recipients[i], a))
			return false;
	e->recipients = recipients;
	e->count = h->count;
	return !left.len;
}
