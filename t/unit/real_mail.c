/* Real mail: into its stored form, into one mailbox file, and back, byte for byte. */
#include "storage/mailbox/mbox.h"
#include "t/form.h"
#include "t/tap.h"
#include <dirent.h>

enum { FILES = 199, WITH_NUL = 1, WITH_STATE = 2 };

static const char *const folders[] = { "cpython", "mime-malformed", "mime-rfc", "mime-thirdparty", "ruby-mail" };

struct mail {
	char name[300];
	struct buf raw;    /* as it was found, less a postmark */
	struct buf wire;   /* with CRLF, also at its end */
	struct buf stored; /* as encoded */
	struct form_size size;
};

static struct mail mails[FILES];
static size_t count;

static void read_file(struct mail *m, const char *folder, const char *name)
{
	FILE *f;
	size_t n;
	struct str text;

	snprintf(m->name, sizeof(m->name), "t/data/mail/%s/%s", folder, name);
	f = fopen(m->name, "rb");
	while (f && (n = fread(buf_room(&m->raw, 65536), 1, 65536, f)))
		buf_added(&m->raw, n);
	if (f)
		fclose(f);
	if (str_starts(buf_str(&m->raw), STR("From ")))
		buf_take(&m->raw, (size_t)str_find(buf_str(&m->raw), '\n') + 1);
	text = buf_str(&m->raw);
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] == '\r' || text.p[i] == '\n') {
			buf_add_str(&m->wire, STR("\r\n"));
			i += text.p[i] == '\r' && i + 1 < text.len && text.p[i + 1] == '\n';
		} else {
			buf_add_char(&m->wire, text.p[i]);
		}
	if (!text.len || (text.p[text.len - 1] != '\r' && text.p[text.len - 1] != '\n'))
		buf_add_str(&m->wire, STR("\r\n"));
}

static void read_all(void)
{
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char path[300];
		DIR *d;

		snprintf(path, sizeof(path), "t/data/mail/%s", folders[i]);
		d = opendir(path);
		for (struct dirent *e; d && (e = readdir(d));)
			if (e->d_name[0] != '.' && count < FILES)
				read_file(&mails[count++], folders[i], e->d_name);
		if (d)
			closedir(d);
	}
	ok(count == FILES, "there are %d messages", FILES);
}

static bool decodes_to(struct str stored, size_t piece, struct str wire)
{
	struct buf out = { 0 };
	bool good;

	decode(stored, piece, &out);
	good = str_eq(buf_str(&out), wire);
	buf_free(&out);
	return good;
}

static bool same_size(const struct form_size *a, const struct form_size *b)
{
	return a->stored == b->stored && a->wire == b->wire && a->header == b->header &&
	       a->wire_header == b->wire_header && a->lines == b->lines;
}

static void test_form(void)
{
	static const size_t pieces[] = { 1, 2, 7, 100, 4096 };
	unsigned refused = 0, changed = 0;

	for (size_t i = 0; i < count; i++) {
		struct mail *m = &mails[i];
		struct buf out = { 0 };
		struct form_size size;
		bool good = true;

		if (encode(buf_str(&m->wire), FORM_STRICT, SIZE_MAX / 2, &m->stored, &m->size)) {
			refused++;
			buf_clear(&m->stored);
			continue;
		}
		for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++) {
			buf_clear(&out);
			good = good && !encode(buf_str(&m->wire), FORM_STRICT, pieces[p], &out, &size) &&
			       str_eq(buf_str(&out), buf_str(&m->stored)) && same_size(&size, &m->size);
			buf_clear(&out);
			good = good && !encode(buf_str(&m->raw), FORM_NORMALISE, pieces[p], &out, &size) &&
			       str_eq(buf_str(&out), buf_str(&m->stored)) && same_size(&size, &m->size);
		}
		if (!decodes_to(buf_str(&m->stored), SIZE_MAX / 2, buf_str(&m->wire))) {
			changed++; /* its state fields are gone: from now on it is as it is now */
			buf_clear(&m->wire);
			decode(buf_str(&m->stored), SIZE_MAX / 2, &m->wire);
			buf_clear(&out);
			good = good && !encode(buf_str(&m->wire), FORM_STRICT, 4096, &out, &size) &&
			       str_eq(buf_str(&out), buf_str(&m->stored)) && same_size(&size, &m->size);
		}
		for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++)
			good = good && decodes_to(buf_str(&m->stored), pieces[p], buf_str(&m->wire));
		good = good && m->size.stored == buf_len(&m->stored) && m->size.wire == buf_len(&m->wire) &&
		       decodes_to(str_cut(buf_str(&m->stored), 0, m->size.header), 4096,
			       str_cut(buf_str(&m->wire), 0, m->size.wire_header));
		if (!good)
			ok(false, "%s", m->name);
		buf_free(&out);
	}
	ok(refused == WITH_NUL, "all but %d are encoded, whole and in pieces", WITH_NUL);
	ok(changed == WITH_STATE, "and decoded to what they were, but for %d with state fields of some mailbox",
		WITH_STATE);
}

/* Scanning compares each message with the next of `mails` that is in the file. */
struct scanned {
	size_t next;
	unsigned wrong;
	struct str file;
};

static void on_base(void *user, const struct mbox_base *base, struct keywords *k)
{
	struct scanned *s = user;

	s->wrong += base->uidvalidity != 77 || base->last_uid != FILES || base->id != 5 || k->count != 1;
}

static void on_message(void *user, const struct message *m)
{
	struct scanned *s = user;
	const struct mail *mail;

	while (s->next < count && !buf_len(&mails[s->next].stored))
		s->next++;
	if (s->next == count) {
		s->wrong++;
		return;
	}
	mail = &mails[s->next++];
	if (m->uid != s->next || m->flags != s->next % 32 || m->keywords != s->next % 2 || m->clock != s->next ||
		m->date != (int64_t)s->next || m->stored != mail->size.stored || m->wire != mail->size.wire ||
		m->header != mail->size.header ||
		!str_eq(str_cut(s->file, m->offset + m->prefix, m->offset + m->prefix + m->stored),
			buf_str(&mail->stored))) {
		printf("# %s\n", mail->name);
		s->wrong++;
	}
}

static void test_mbox(void)
{
	static const struct mbox_scan_events events = { on_base, on_message, false, NULL };
	static const size_t pieces[] = { 1 << 20, 65536, 4096, 1000, 1 };
	struct keywords words = { 1, { "$Real" } };
	struct mbox_base base = { 77, FILES, 5, 1, 0, 0 };
	struct buf file = { 0 };

	for (uint32_t i = 0; i < count; i++) {
		struct message m = {
			.uid = i + 1, .flags = (i + 1) % 32, .keywords = (i + 1) % 2, .clock = i + 1, .date = i + 1
		};

		if (!buf_len(&mails[i].stored))
			continue;
		mbox_prefix(&file, &m, STR("a@b"), &words, buf_len(&file) ? NULL : &base);
		buf_add_str(&file, buf_str(&mails[i].stored));
		buf_add_str(&file, STR(MBOX_TAIL));
	}
	for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++) {
		struct scanned s = { .file = buf_str(&file) };
		struct keywords k = { 0 };
		struct mbox_scan *scan = mbox_scan_new(0, &k, &events, &s);
		enum err e = OK;

		for (size_t at = 0; at < buf_len(&file) && !e; at += pieces[p])
			e = mbox_scan_feed(
				scan, str_cut(s.file, at, at + pieces[p] < s.file.len ? at + pieces[p] : s.file.len));
		ok(!e && !mbox_scan_end(scan) && !s.wrong && s.next == count,
			"in one mbox each is found as it was put, in pieces of %zu", pieces[p]);
		mbox_scan_free(scan);
	}
	buf_free(&file);
}

int main(void)
{
	read_all();
	test_form();
	test_mbox();
	for (size_t i = 0; i < count; i++) {
		buf_free(&mails[i].raw);
		buf_free(&mails[i].wire);
		buf_free(&mails[i].stored);
	}
	return done();
}
