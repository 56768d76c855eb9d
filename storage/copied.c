/* copied.c - see copied.h. */
#include "storage/copied.h"
#include "core/buf.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/mbox.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PLACE      "journal/place"
#define SKIP       "journal/skip"
#define LINE_MAX   200
#define TAIL_PIECE (64u << 10)

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

static DIR *directory_open(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (fd >= 0 && !d)
		close(fd);
	return d;
}

static bool is_state_file(const char *name)
{
	struct str file = str_of(name), suffix = STR(".state");

	return file.len > suffix.len && str_eq(str_cut(file, file.len - suffix.len, file.len), suffix);
}

bool store_has_mailboxes(int directory)
{
	DIR *levels[3] = { directory_open(directory, "domains") };
	unsigned depth = 0;
	bool found = false;

	if (!levels[0])
		return false;
	for (;;) {
		const struct dirent *entry = readdir(levels[depth]);

		if (entry && entry->d_name[0] == '.')
			continue;
		if (entry && depth == 2)
			found = is_state_file(entry->d_name);
		else if (entry && (levels[depth + 1] = directory_open(dirfd(levels[depth]), entry->d_name)))
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

enum err copied_tail_mend(int fd, bool is_mbox, uint64_t *cut)
{
	size_t whole = is_mbox ? 2 : 1; /* line ends */
	char last[2] = { '\n', '\n' };
	uint64_t size, end;
	struct stat st;
	enum err e;

	*cut = 0;
	if (fstat(fd, &st) < 0)
		return err_errno("look at the end of a file");
	size = (uint64_t)st.st_size;
	if (!size || (size >= whole && pread(fd, last, whole, (off_t)(size - whole)) < 0))
		return size ? err_errno("read the end of a file") : OK;
	if (size >= whole && last[0] == '\n' && last[whole - 1] == '\n')
		return OK;
	e = is_mbox ? find_last(fd, size, STR("\n\nFrom "), 2, &end) : find_last(fd, size, STR("\n"), 1, &end);
	if (!e && ftruncate(fd, (off_t)end) < 0)
		e = err_errno("cut the end of a file");
	if (!e)
		*cut = size - end;
	return e;
}

enum err copied_mbox_mend(int directory, const char *stem, uint64_t *cut)
{
	struct buf path = { 0 };
	enum err e;
	int fd;

	*cut = 0;
	buf_printf(&path, "%s.mbox", stem);
	buf_add_char(&path, '\0');
	fd = openat(directory, buf_data(&path), O_RDWR | O_CLOEXEC);
	e = fd < 0 ? err_errno("open %s.mbox", stem) : copied_tail_mend(fd, true, cut);
	if (!e && *cut)
		log_warn("store", NULL, "cut off a message that is not whole path=%s.mbox bytes=%llu", stem,
			(unsigned long long)*cut);
	if (fd >= 0)
		close(fd);
	buf_free(&path);
	return e;
}
