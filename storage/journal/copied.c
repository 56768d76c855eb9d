/* copied.c - see copied.h. */
#include "storage/journal/copied.h"
#include "core/buf.h"
#include "core/listing.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/mail/form.h"
#include "storage/mailbox/mbox.h"
#include "storage/path.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PLACE      "journal/place"
#define SKIP       "journal/skip"
#define LINE_MAX   200
#define TAIL_PIECE (64u << 10)
#define ASIDES_MAX 10000 /* pieces that are kept beside a file */

/* --- lines of text -------------------------------------------------------------------------------------------------- */

/* The first line, without its end, NUL-ended. ERR_ABSENT: there is no such file. */
static enum err line_read(int directory, const char *path, char line[LINE_MAX])
{
	int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? ERR_ABSENT : err_errno("open %s", path);
	n = read(fd, line, LINE_MAX - 1);
	close(fd);
	if (n < 0)
		return err_errno("read %s", path);
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return OK;
}

static enum err synced(int directory, const char *path)
{
	int fd = openat(directory, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum err e = fd < 0 || fsync(fd) < 0 ? err_errno("sync %s", path) : OK;

	if (fd >= 0)
		close(fd);
	return e;
}

static enum err line_write(int directory, int fd, const char *path, const char *line, size_t len)
{
	char made[LINE_MAX];
	enum err e = OK;

	snprintf(made, sizeof(made), "%s.new", path);
	if (write(fd, line, len) != (ssize_t)len || fsync(fd) < 0 || renameat(directory, made, directory, path) < 0)
		e = err_errno("write %s", path);
	return e ? e : synced(directory, "journal");
}

static enum err line_begin(int directory, const char *path, int *fd)
{
	char made[LINE_MAX];

	if ((mkdirat(directory, "journal", 0700) < 0 && errno != EEXIST) || synced(directory, "."))
		return err_errno("make journal");
	snprintf(made, sizeof(made), "%s.new", path);
	*fd = openat(directory, made, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return *fd < 0 ? err_errno("make %s", made) : OK;
}

/* --- the store's place ----------------------------------------------------------------------------------------------- */

struct place {
	uint64_t inode, birth; /* birth: ns since 1970, 0 where file systems do not tell */
	unsigned journals;
};

static enum err place_of(int fd, struct place *p)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &st) < 0)
		return err_errno("look at " PLACE);
	p->inode = st.stx_ino;
	p->birth = 0;
	if (st.stx_mask & STATX_BTIME)
		p->birth = (uint64_t)st.stx_btime.tv_sec * 1000000000 + st.stx_btime.tv_nsec;
	return OK;
}

enum err place_look(int directory, unsigned journals, enum place_is *place)
{
	unsigned long long inode, birth;
	char line[LINE_MAX];
	struct place p = { 0 };
	unsigned version, noted = 0;
	enum err e = line_read(directory, PLACE, line);
	int fd;

	*place = PLACE_UNNOTED;
	if (e)
		return e == ERR_ABSENT ? OK : e;
	if (sscanf(line, "postern-place %u inode=%llu birth=%llu journals=%u", &version, &inode, &birth, &noted) != 4 ||
		version != 1) {
		log_error("store", NULL, PLACE " is damaged or of a later version: this store counts as a copy");
		*place = PLACE_OTHER;
		return OK;
	}
	if ((fd = openat(directory, PLACE, O_RDONLY | O_CLOEXEC)) < 0)
		return err_errno("open " PLACE);
	e = place_of(fd, &p);
	close(fd);
	if (p.inode != inode || (p.birth && birth && p.birth != birth) || journals < noted)
		*place = PLACE_OTHER;
	else if (journals == noted)
		*place = PLACE_OURS;
	return e;
}

enum err place_note(int directory, unsigned journals)
{
	char line[LINE_MAX];
	struct place p = { 0 };
	enum err e;
	int fd, len;

	if ((e = line_begin(directory, PLACE, &fd)))
		return e;
	if (!(e = place_of(fd, &p))) {
		len = snprintf(line, sizeof(line), "postern-place 1 inode=%llu birth=%llu journals=%u\n",
			(unsigned long long)p.inode, (unsigned long long)p.birth, journals);
		e = line_write(directory, fd, PLACE, line, (size_t)len);
	}
	close(fd);
	return e;
}

unsigned journals_count(DIR *list)
{
	const struct dirent *entry;
	unsigned count = 0;
	uint32_t slot;

	rewinddir(list);
	while ((entry = readdir(list)))
		count += str_u32(str_of(entry->d_name), &slot);
	rewinddir(list);
	return count;
}

/* Several workers begin at once: the directory is locked meanwhile. */
enum err place_raise(int directory)
{
	unsigned long long inode, birth;
	char line[LINE_MAX];
	unsigned version, noted, count;
	DIR *all = listing_open(directory, "journal", 0);
	enum err e = OK;

	if (!all || flock(dirfd(all), LOCK_EX) < 0 || fsync(dirfd(all)) < 0) {
		e = err_errno("lock the journals");
	} else if (!line_read(directory, PLACE, line) &&
		   sscanf(line, "postern-place %u inode=%llu birth=%llu journals=%u", &version, &inode, &birth,
			   &noted) == 4 &&
		   version == 1 && noted < (count = journals_count(all))) {
		e = place_note(directory, count);
	}
	if (all)
		closedir(all);
	return e;
}

/* --- who has to skip -------------------------------------------------------------------------------------------------- */

enum err skip_ask(int directory)
{
	uint64_t clock = (uint64_t)(time(NULL) + 1) << 16; /* above all that was changed until now */
	char line[LINE_MAX];
	enum err e;
	int fd, len;

	if ((e = line_begin(directory, SKIP, &fd)))
		return e;
	len = snprintf(line, sizeof(line), "postern-skip 1 clock=%llu\n", (unsigned long long)clock);
	e = line_write(directory, fd, SKIP, line, (size_t)len);
	close(fd);
	return e;
}

enum err skip_read(int directory, uint64_t *clock)
{
	unsigned long long told;
	char line[LINE_MAX];
	enum err e = line_read(directory, SKIP, line);
	unsigned version;

	*clock = 0;
	if (e)
		return e == ERR_ABSENT ? OK : e;
	if (sscanf(line, "postern-skip %u clock=%llu", &version, &told) != 2 || version != 1) {
		log_error("store", NULL, SKIP " is damaged or of a later version");
		return ERR_NEVER;
	}
	*clock = told;
	return OK;
}

static bool ends_in(const char *name, struct str suffix)
{
	struct str file = str_of(name);

	return file.len > suffix.len && str_eq(str_cut(file, file.len - suffix.len, file.len), suffix);
}

bool store_has_mailboxes(int directory)
{
	DIR *levels[3] = { listing_open(directory, "domains", O_NOFOLLOW) };
	unsigned depth = 0;
	bool found = false;

	if (!levels[0])
		return false;
	for (;;) {
		const struct dirent *entry = readdir(levels[depth]);

		if (entry && entry->d_name[0] == '.')
			continue;
		if (entry && depth == 2)
			found = ends_in(entry->d_name, STR(".state"));
		else if (entry && (levels[depth + 1] = listing_open(dirfd(levels[depth]), entry->d_name, O_NOFOLLOW)))
			depth++;
		if (entry && !found)
			continue;
		closedir(levels[depth]);
		if (!depth--)
			return found;
	}
}

/* --- files that end anywhere ------------------------------------------------------------------------------------------- */

/* Where the last piece of text begins that `mark` stands before, its first `keep` bytes left out; 0 if it is nowhere. */
static enum err find_last(int fd, uint64_t size, struct str mark, size_t keep, uint64_t *at)
{
	struct buf piece = { 0 };
	enum err e = OK;

	*at = 0;
	for (uint64_t end = size; end && !*at && !e;) {
		uint64_t from = end > TAIL_PIECE ? end - TAIL_PIECE : 0;
		size_t want = (size_t)(end - from);
		ssize_t n;

		buf_clear(&piece);
		n = pread(fd, buf_room(&piece, want), want, (off_t)from);
		if (n < 0)
			e = err_errno("read the end of a file");
		buf_added(&piece, n > 0 ? (size_t)n : 0);
		for (size_t i = buf_len(&piece); !*at && i >= mark.len; i--)
			if (!memcmp(buf_data(&piece) + i - mark.len, mark.p, mark.len))
				*at = from + i - mark.len + keep;
		end = from ? from + mark.len - 1 : 0; /* it may stand across two pieces */
	}
	buf_free(&piece);
	return e;
}

enum last_is {
	LAST_OTHERS,   /* whole as it is */
	LAST_OURS,     /* it bears our X-Postern */
	LAST_PREFIX,   /* cut off before its own header began: there is no text of a message */
	LAST_POSTMARK, /* cut off in its postmark, or no postmark but text of the message before */
};

/* A line that is cut off may be of our prefix. */
static bool may_be_ours(struct str part)
{
	struct str value;

	return !part.len || part.p[0] == ' ' || part.p[0] == '\t' || form_field_of(part, false, &value) != FORM_OTHER;
}

/* Whose the message is that begins so, the last of its file. uid: what its X-UID says, or 0. */
static enum last_is last_look(struct str head, uint32_t *uid)
{
	ptrdiff_t lf = str_find(head, '\n');
	struct str sender, line, value;
	enum form_field field;
	int64_t date;

	*uid = 0;
	if (lf < 0)
		return str_starts(head, STR("From ")) ? LAST_POSTMARK : LAST_OTHERS;
	if (!mbox_postmark(str_cut(head, 0, (size_t)lf), &sender, &date))
		return LAST_OTHERS;
	for (;;) {
		head = str_cut(head, (size_t)lf + 1, head.len);
		if ((lf = str_find(head, '\n')) < 0)
			return may_be_ours(head) ? LAST_PREFIX : LAST_OTHERS;
		line = str_cut(head, 0, (size_t)lf + 1);
		if (line.p[0] == ' ' || line.p[0] == '\t')
			continue;
		field = form_field_of(line, true, &value);
		if (field == FORM_POSTERN)
			return LAST_OURS;
		if (field == FORM_OTHER)
			return LAST_OTHERS;
		if (field == FORM_UID)
			str_u32(str_trim(value), uid);
	}
}

/* The last message of what lies before `end`. */
static enum err last_read(int fd, uint64_t at, uint64_t end, enum last_is *is, uint32_t *uid)
{
	size_t want = end - at < MBOX_PREFIX_MAX ? (size_t)(end - at) : MBOX_PREFIX_MAX;
	struct buf head = { 0 };
	ssize_t n = pread(fd, buf_room(&head, want), want, (off_t)at);
	enum err e = n < 0 ? err_errno("read the last message") : OK;

	buf_added(&head, n > 0 ? (size_t)n : 0);
	*is = last_look(buf_str(&head), uid);
	buf_free(&head);
	return e;
}

/* Where the file ends within the word that a postmark begins with, or 0. */
static enum err last_word(int fd, uint64_t size, uint64_t *at)
{
	static const char mark[] = "\n\nFrom";
	char last[sizeof(mark) - 1];
	size_t have = size < sizeof(last) ? (size_t)size : sizeof(last);

	*at = 0;
	if (pread(fd, last, have, (off_t)(size - have)) < 0)
		return err_errno("read the end of a file");
	for (size_t len = 3; len <= have; len++)
		if (!memcmp(last + have - len, mark, len))
			*at = size - len + 2;
	return OK;
}

/* From where the last message of an mbox is to go: `size` where it is to stay. Ours end in an empty line, and a line that
 * begins like a postmark is quoted in them: what follows one of ours is a postmark. */
static enum err last_message(int fd, uint64_t size, uint64_t *end, uint32_t *uid)
{
	enum last_is is = LAST_OTHERS;
	uint64_t at, before;
	uint32_t other;
	enum err e = last_word(fd, size, &at);

	*end = size;
	if (!e && at)
		is = LAST_POSTMARK;
	else if (!e && !(e = find_last(fd, size, STR("\n\nFrom "), 2, &at)))
		e = last_read(fd, at, size, &is, uid);
	if (!e && is == LAST_POSTMARK && at) {
		e = find_last(fd, at + sizeof("From") - 1, STR("\n\nFrom "), 2, &before);
		if (!e)
			e = last_read(fd, before, at, &is, &other);
	}
	if (!e && is != LAST_OTHERS)
		*end = at;
	return e;
}

/* What is cut off stays beside the file. */
static enum err keep_aside(int directory, const char *path, int fd, uint64_t from, struct buf *aside)
{
	char *piece = mem_alloc(TAIL_PIECE), *slash;
	ssize_t n = 1;
	int to = -1;
	enum err e = OK;

	for (unsigned i = 1; i <= ASIDES_MAX && to < 0; i++) {
		buf_clear(aside);
		buf_printf(aside, "%s.damaged.%x", path, i);
		buf_add_char(aside, '\0');
		to = openat(directory, buf_data(aside), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (to < 0 && errno != EEXIST)
			break;
	}
	while (to >= 0 && n > 0) {
		n = pread(fd, piece, TAIL_PIECE, (off_t)from);
		if (n > 0 && write(to, piece, (size_t)n) != n)
			n = -1;
		from += n > 0 ? (uint64_t)n : 0;
	}
	if (to < 0 || n < 0 || fsync(to) < 0)
		e = err_errno("keep the end of %s", path);
	if (to >= 0)
		close(to);
	free(piece);
	piece = str_dup(str_of(path));
	if ((slash = strrchr(piece, '/')))
		*slash = '\0';
	if (!e)
		e = synced(directory, slash ? piece : ".");
	free(piece);
	return e;
}

/* "domains/<domain>/<account>/<mailbox>.mbox" in names. */
static void log_cut(const char *path, uint64_t bytes, uint32_t uid, const struct buf *aside)
{
	struct str parts[4], left = str_of(path);
	struct buf account = { 0 }, mailbox = { 0 };
	bool named = true;

	for (unsigned i = 0; i < 4 && named; i++) {
		ptrdiff_t end = i < 3 ? str_find(left, '/') : str_rfind(left, '.');

		named = end >= 0;
		parts[i] = str_cut(left, 0, named ? (size_t)end : 0);
		left = str_cut(left, named ? (size_t)end + 1 : 0, left.len);
	}
	named = named && !path_file_to_name(&account, parts[2]);
	buf_add_char(&account, '@');
	named = named && !path_file_to_domain(&account, parts[1]) && !stem_to_name(&mailbox, parts[3]);
	if (named)
		log_warn("store", NULL,
			"cut off what is not whole account=" STR_FMT " mailbox=\"" STR_FMT
			"\" uid=%u bytes=%llu path=%s aside=%s",
			STR_ARG(buf_str(&account)), STR_ARG(buf_str(&mailbox)), uid, (unsigned long long)bytes, path,
			buf_data(aside));
	else
		log_warn("store", NULL, "cut off what is not whole uid=%u bytes=%llu path=%s aside=%s", uid,
			(unsigned long long)bytes, path, buf_data(aside));
	buf_free(&account);
	buf_free(&mailbox);
}

/* From where what is not whole begins, or size. */
static enum err whole_end(int fd, bool is_mbox, uint64_t size, uint64_t *end, uint32_t *uid)
{
	size_t whole = is_mbox ? 2 : 1; /* line ends */
	char last[2] = { '\n', '\n' };

	*end = size;
	if (size >= whole && pread(fd, last, whole, (off_t)(size - whole)) < 0)
		return err_errno("read the end of a file");
	if (!size || (size >= whole && last[0] == '\n' && last[whole - 1] == '\n'))
		return OK;
	return is_mbox ? last_message(fd, size, end, uid) : find_last(fd, size, STR("\n"), 1, end);
}

enum err copied_whole_end(int directory, const char *stem, uint64_t length, uint64_t *end)
{
	struct buf path = { 0 };
	uint32_t uid;
	struct stat st;
	enum err e;
	int fd;

	buf_printf(&path, "%s.mbox", stem);
	buf_add_char(&path, '\0');
	fd = openat(directory, buf_data(&path), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		e = err_errno("open %s.mbox", stem);
	else
		e = whole_end(fd, true, (uint64_t)st.st_size < length ? (uint64_t)st.st_size : length, end, &uid);
	if (fd >= 0)
		close(fd);
	buf_free(&path);
	return e;
}

enum err copied_tail_mend(int directory, const char *path, uint64_t *cut)
{
	bool is_mbox = ends_in(path, STR(".mbox"));
	struct buf aside = { 0 };
	uint64_t size = 0, end = 0;
	uint32_t uid = 0;
	struct stat st;
	enum err e;
	int fd = openat(directory, path, O_RDWR | O_CLOEXEC);

	*cut = 0;
	if (fd < 0)
		return errno == ENOENT ? OK : err_errno("open %s", path);
	if (fstat(fd, &st) < 0)
		e = err_errno("look at the end of a file");
	else
		e = whole_end(fd, is_mbox, size = (uint64_t)st.st_size, &end, &uid);
	if (!e && end < size)
		e = keep_aside(directory, path, fd, end, &aside);
	if (!e && end < size && ftruncate(fd, (off_t)end) < 0)
		e = err_errno("cut the end of a file");
	if (!e && end < size) {
		*cut = size - end;
		log_cut(path, *cut, uid, &aside);
	}
	close(fd);
	buf_free(&aside);
	return e;
}

enum err copied_mbox_mend(int directory, const char *stem, uint64_t *cut)
{
	struct buf path = { 0 };
	enum err e;

	buf_printf(&path, "%s.mbox", stem);
	buf_add_char(&path, '\0');
	e = copied_tail_mend(directory, buf_data(&path), cut);
	buf_free(&path);
	return e;
}
