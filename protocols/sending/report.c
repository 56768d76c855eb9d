/* report.c - see report.h: who wants one, and its header and parts put together. */
#include "protocols/sending/report_parts.h"
#include "protocols/sending/report_words.h"
#include "storage/mail/date.h"
#include "storage/mail/header.h"
#include "storage/mail/utf8.h"
#include <inttypes.h>
#include <stdio.h>

#define MESSAGE_ID_MAX 900 /* bytes of the original's that are taken along */

bool report_is_wanted(enum report_action action, const struct queue_envelope *e, unsigned notify)
{
	if (!e->sender.len || notify & NOTIFY_NEVER)
		return false;
	switch (action) {
	case REPORT_FAILED:
		return !notify || notify & NOTIFY_FAILURE;
	case REPORT_DELAYED: /* by-mode N asks for it, too (RFC 2852, 4) */
		return !notify || notify & NOTIFY_DELAY || e->by == BY_NOTIFY;
	case REPORT_RELAYED: /* a trace is of each host, by-mode N of one that does not mind the time (RFC 2852, 4.1.4) */
		return notify & NOTIFY_SUCCESS || e->by_trace || e->by == BY_NOTIFY;
	case REPORT_DELIVERED:
	case REPORT_EXPANDED:
		return notify & NOTIFY_SUCCESS;
	}
	return false;
}

static bool goes_whole(const struct report *r)
{
	return r->action == REPORT_FAILED && r->size == REPORT_WHOLE && r->copy->envelope.ret == RET_FULL &&
	       r->copy->stored <= REPORT_MESSAGE_MAX;
}

size_t report_takes(const struct report *r)
{
	if (goes_whole(r))
		return r->copy->stored;
	return r->copy->header < REPORT_HEADER_MAX ? r->copy->header : REPORT_HEADER_MAX;
}

/* --- the original ------------------------------------------------------------------------------------------------- */

struct original {
	struct str bytes; /* "" : nothing goes along */
	const char *type;
	bool ascii;
};

/* A header that is too long ends at a line's end, and none has its blank line along: the part is the header alone. */
static struct str header_part(struct str message)
{
	struct str block = str_cut(message, 0, header_size(message));
	ptrdiff_t end = str_rfind(block, '\n');

	block.len = end < 0 ? 0 : (size_t)end + 1;
	if (block.len && (block.len == 1 || block.p[block.len - 2] == '\n'))
		block.len--;
	return block;
}

/* Of letters beyond ASCII a header is RFC 6532's; of other such bytes nobody knows what they mean. */
static struct original original_of(const struct report *r, struct str message)
{
	struct str header = header_part(message);
	bool ascii = report_is_ascii(header), international = !ascii && utf8_valid(header);

	if (!message.len || !header.len || r->size >= REPORT_BARE)
		return (struct original){ .bytes = STR_NONE };
	if (goes_whole(r))
		return (struct original){ message, international ? "message/global" : "message/rfc822",
			ascii && report_is_ascii(message) };
	return (struct original){ header,
		ascii           ? "text/rfc822-headers"
		: international ? "message/global-headers"
				: "text/rfc822-headers; charset=unknown-8bit",
		ascii };
}

/* --- the header --------------------------------------------------------------------------------------------------- */

/* An id as it must be, or nothing: it goes into a header of ours. */
static struct str sane_id(struct str id)
{
	id = str_trim(id);
	if (id.len < 3 || id.len > MESSAGE_ID_MAX || id.p[0] != '<' || str_find(id, '>') != (ptrdiff_t)id.len - 1)
		return STR_NONE;
	for (size_t i = 1; i < id.len; i++)
		if (id.p[i] <= ' ' || id.p[i] > '~' || id.p[i] == '<')
			return STR_NONE;
	return id;
}

static const char *const subjects[] = {
	[REPORT_FAILED] = "Not delivered: your message",
	[REPORT_DELAYED] = "Delayed: your message",
	[REPORT_DELIVERED] = "Delivered: your message",
	[REPORT_RELAYED] = "Handed on: your message",
	[REPORT_EXPANDED] = "Handed on to a list: your message",
};

static void add_header(const struct report *r, struct str hostname, int64_t now_s, struct str message, uint64_t number,
	struct buf *out)
{
	char date[DATE_TEXT_SIZE];
	struct header_field field;
	struct str replied = header_find(message, "Message-ID", &field) ? sane_id(field.value) : STR_NONE;
	struct buf to = { 0 };

	date_message_print(date, now_s, 0);
	buf_printf(&to, "<" STR_FMT ">", STR_ARG(r->copy->envelope.sender));
	buf_printf(out, "Date: %s\nFrom: Mail Delivery System <MAILER-DAEMON@" STR_FMT ">\n", date, STR_ARG(hostname));
	report_field_whole("To", buf_str(&to), false, out);
	buf_printf(out, "Subject: %s\nMessage-ID: <%" PRIx64 ".%016" PRIx64 "@" STR_FMT ">\n", subjects[r->action],
		r->copy->id, number, STR_ARG(hostname));
	if (replied.len)
		buf_printf(
			out, "In-Reply-To: " STR_FMT "\nReferences: " STR_FMT "\n", STR_ARG(replied), STR_ARG(replied));
	buf_printf(out, "Auto-Submitted: auto-replied\nMIME-Version: 1.0\n");
	buf_free(&to);
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

static void add_part(
	const char *boundary, const char *what, const char *type, bool ascii, struct str bytes, struct buf *out)
{
	buf_printf(out, "--%s\nContent-Type: %s\nContent-Transfer-Encoding: %s\nContent-Description: %s\n\n", boundary,
		type, ascii ? "7bit" : "8bit", what);
	buf_add_str(out, bytes);
	buf_add_char(out, '\n'); /* the boundary's own */
}

/* A number that nobody who wrote a part of the report could know before it was put together, and a boundary of it that
 * is in none of them. */
static uint64_t choose_boundary(char boundary[40], int64_t now_s, const struct str *parts, size_t count)
{
	uint64_t number = (uint64_t)now_s;
	bool found = true;

	for (size_t i = 0; i < count; i++)
		number = number * 31 + str_hash(parts[i]);
	while (found) {
		number = str_hash((struct str){ (const char *)&number, sizeof(number) });
		snprintf(boundary, 40, "postern-%016" PRIx64, number);
		found = false;
		for (size_t i = 0; i < count && !found; i++)
			found = parts[i].len && memmem(parts[i].p, parts[i].len, boundary, strlen(boundary));
	}
	return number;
}

void report_write(const struct report *r, struct str hostname, int64_t now_s, struct str message, struct buf *out)
{
	bool international = report_is_international(r);
	struct original original = original_of(r, message);
	struct buf text = { 0 }, status = { 0 };
	char boundary[40];
	uint64_t number;

	report_text(r, hostname, message, &text);
	report_status(r, hostname, now_s, international, &status);
	number = choose_boundary(
		boundary, now_s, (const struct str[]){ buf_str(&text), buf_str(&status), original.bytes }, 3);
	add_header(r, hostname, now_s, message, number, out);
	buf_printf(
		out, "Content-Type: multipart/report; report-type=delivery-status;\n\tboundary=\"%s\"\n\n", boundary);
	buf_printf(out, "This is a report on a message of yours, in parts (MIME).\n\n");
	add_part(boundary, "What happened", "text/plain; charset=utf-8", report_is_ascii(buf_str(&text)),
		buf_str(&text), out);
	add_part(boundary, "The same for programs",
		international ? "message/global-delivery-status" : "message/delivery-status",
		report_is_ascii(buf_str(&status)), buf_str(&status), out);
	if (original.bytes.len)
		add_part(boundary, "The message", original.type, original.ascii, original.bytes, out);
	buf_printf(out, "--%s--\n", boundary);
	buf_free(&text);
	buf_free(&status);
}
