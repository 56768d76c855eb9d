/* accounts_fill.c - a store of many accounts for a benchmark or a test, written as the text files that it is.
 *   accounts_fill DIR DOMAIN ACCOUNTS MESSAGES MAILBOXES
 * DIR is a server's store with DOMAIN and the account test0000 in it, and the server does not run. Accounts test0001,
 * test0002 ... get the settings, and so the password, of test0000, and MESSAGES in INBOX; test0000 gets MAILBOXES
 * without messages below "All". Everything belongs to whom DIR belongs to. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define UIDVALIDITY    1795460000u
#define CLOCK          ((unsigned long long)UIDVALIDITY << 16)
#define MESSAGE_MAX    1024
#define MESSAGES_MAX   5000
#define MAILBOX_ID     0x4000000000000000u /* above all accounts' */
#define SETTINGS_BYTES 4096
#define PATH_SIZE      128

static void fail(const char *what, const char *path)
{
	fprintf(stderr, "accounts_fill: %s %s: %s\n", what, path, strerror(errno));
	exit(1);
}

static void put(int at, const char *path, const char *bytes, size_t len)
{
	int fd = openat(at, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, bytes, len) != (ssize_t)len || close(fd))
		fail("write", path);
}

static void make(int at, const char *path)
{
	if (mkdirat(at, path, 0700))
		fail("make", path);
}

/* The state file of an empty mailbox, or of one whose messages are all in the mbox. */
static void put_state(int at, const char *path, unsigned long long id)
{
	char line[256];
	int len = snprintf(line, sizeof(line),
		"postern-state 1 id=%016llx generation=1 uidvalidity=%u uidnext=1 clock=%llu\n", id, UIDVALIDITY,
		CLOCK);

	put(at, path, line, (size_t)len);
}

static size_t print_message(char *to, const char *domain, unsigned account, unsigned uid, unsigned long long id)
{
	char base[128] = "", more[64] = "";

	if (uid == 1) {
		snprintf(base, sizeof(base), "X-IMAPbase: %u 0000000001\n", UIDVALIDITY);
		snprintf(more, sizeof(more), " id=%016llx generation=1 version=1", id);
	}
	return (size_t)snprintf(to, MESSAGE_MAX,
		"From news@far.test Mon Nov 23 18:54:53 2026\n%sX-UID: %u\nX-Postern: clock=%llx%s\n"
		"Return-Path: <news@far.test>\nDelivered-To: test%04u@%s\nFrom: news@far.test\nSubject: number %u\n"
		"Date: Mon, 23 Nov 2026 18:54:53 +0000\n\n"
		"What is new, in a few words that are the same for everybody.\n\n",
		base, uid, CLOCK + uid, more, account, domain, uid);
}

static void put_account(int at, const char *domain, unsigned account, unsigned messages, const char *settings)
{
	static char mbox[MESSAGES_MAX * MESSAGE_MAX];
	unsigned long long id = (unsigned long long)(account + 1) << 32;
	char path[PATH_SIZE];
	size_t len = 0;

	snprintf(path, sizeof(path), "test%04u", account);
	if (account) {
		make(at, path);
		snprintf(path, sizeof(path), "test%04u/account.settings", account);
		put(at, path, settings, strlen(settings));
	}
	if (!messages)
		return;
	for (unsigned uid = 1; uid <= messages; uid++)
		len += print_message(mbox + len, domain, account, uid, id);
	snprintf(path, sizeof(path), "test%04u/INBOX.mbox", account);
	put(at, path, mbox, len);
	snprintf(path, sizeof(path), "test%04u/INBOX.state", account);
	put_state(at, path, id);
}

static void put_mailboxes(int at, unsigned mailboxes)
{
	char path[PATH_SIZE];

	if (!mailboxes)
		return;
	make(at, "test0000/All");
	for (unsigned i = 0; i < mailboxes; i++) {
		snprintf(path, sizeof(path), "test0000/All/%05u.state", i);
		put_state(at, path, MAILBOX_ID + i);
	}
}

static unsigned number(const char *text, unsigned most)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (!*text || *end || n > most) {
		fprintf(stderr, "accounts_fill: not a number up to %u: %s\n", most, text);
		exit(2);
	}
	return (unsigned)n;
}

int main(int argc, char **argv)
{
	char settings[SETTINGS_BYTES] = "", path[4096];
	unsigned accounts, messages, mailboxes;
	struct stat st;
	int at, fd;

	if (argc != 6) {
		fprintf(stderr, "usage: accounts_fill DIR DOMAIN ACCOUNTS MESSAGES MAILBOXES\n");
		return 2;
	}
	accounts = number(argv[3], 10000000);
	messages = number(argv[4], MESSAGES_MAX);
	mailboxes = number(argv[5], 100000);
	if (stat(argv[1], &st))
		fail("look at", argv[1]);
	if (!geteuid() && (setresgid(st.st_gid, st.st_gid, st.st_gid) || setresuid(st.st_uid, st.st_uid, st.st_uid)))
		fail("become the owner of", argv[1]);
	prctl(PR_SET_DUMPABLE, 1); /* LeakSanitizer, where that is in it, looks at us by ptrace */
	snprintf(path, sizeof(path), "%s/domains/%s", argv[1], argv[2]);
	at = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		fail("open", path);
	fd = openat(at, "test0000/account.settings", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, settings, sizeof(settings) - 1) <= 0)
		fail("read", "test0000/account.settings");
	close(fd);
	for (unsigned i = 0; i < accounts; i++)
		put_account(at, argv[2], i, messages, settings);
	put_mailboxes(at, mailboxes);
	close(at);
	return 0;
}
