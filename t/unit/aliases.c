/* Files in the form of aliases(5): read with what they include, looked at again, and never waited for. */
#include "storage/route/aliases.h"
#include "storage/route/domain.h"
#include "t/store.h"

static char path[64], list_path[64], other_path[64];

static void write_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		printf("# %s cannot be written\n", name);
	close(fd);
}

/* A name's targets in a row: kind, a star for a plain one, text. */
static const char *shown(const struct alias *a)
{
	static char text[500];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; a && i < a->count && i < 6; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%c%s" STR_FMT, i ? " " : "",
			"apfie"[a->targets[i].kind], a -> targets[i].plain ? "*" : ":", STR_ARG(a->targets[i].text));
	return text;
}

static bool is(const struct alias_file *f, const char *name, const char *text)
{
	const struct alias *a = alias_file_find(f, str_of(name));

	if (a && !strcmp(shown(a), text))
		return true;
	printf("# %s is \"%s\"\n", name, shown(a));
	return false;
}

static void test_file(void)
{
	struct alias_file *f;
	char text[400];

	write_file(list_path, "# members\nalice@far.test\n  bob\n|/bin/true\n");
	snprintf(text, sizeof(text),
		"postmaster: root\nroot: alice\nbob: bob, b@away.test\nlist: :include:%s, carol\nowner-list: alice\n"
		"nonsense\nroot: twice\nwrong: a b, dave\nlost: :include:%s/none\nnobody:\n",
		list_path, scratch_path);
	write_file(path, text);
	f = alias_file_read(path);
	ok(f && alias_file_count(f) == 8, "what can be understood of a file is read");
	ok(is(f, "postmaster", "a:root") && is(f, "root", "a:alice"), "the first of two lines of a name counts");
	ok(is(f, "bob", "a*bob a:b@away.test"), "a name that stands for itself does so plainly");
	ok(is(f, "list", "a:carol a:alice@far.test a:bob p:/bin/true"), "a file is included");
	ok(str_eq(alias_file_find(f, STR("list"))->owner, STR("owner-list")) &&
			!alias_file_find(f, STR("root"))->owner.len,
		"a list has its owner");
	ok(is(f, "wrong", "a:dave") && is(f, "nobody", ""), "what is wrong on a line does not spoil the rest");
	ok(alias_file_find(f, STR("lost"))->incomplete && !alias_file_find(f, STR("list"))->incomplete,
		"a list whose file is missing is known to be incomplete");
	ok(!alias_file_find(f, STR("alice")), "other names are none");
	ok(!alias_file_changed(f), "it is as it was read");
	write_file(list_path, "alice@far.test\n");
	ok(alias_file_changed(f), "until a file changes that it includes");
	alias_file_free(f);
	ok(!alias_file_read(scratch_path) && !alias_file_read("/dev/zero") && !alias_file_read(other_path),
		"a directory, a device and nothing at all are no such files");
}

static void test_limits(void)
{
	struct alias_file *f;
	struct buf text = { 0 };

	buf_printf(&text, ":include:%s\nalice\n", list_path);
	buf_add_char(&text, '\0');
	write_file(list_path, buf_data(&text));
	buf_clear(&text);
	buf_printf(&text, "all: :include:%s\n", list_path);
	buf_add_char(&text, '\0');
	write_file(path, buf_data(&text));
	f = alias_file_read(path);
	ok(f && alias_file_find(f, STR("all"))->incomplete && alias_file_find(f, STR("all"))->count == ALIAS_DEPTH_MAX,
		"a file that includes itself does so %d times", ALIAS_DEPTH_MAX);
	alias_file_free(f);
	buf_clear(&text);
	buf_add_str(&text, STR("all: "));
	for (unsigned i = 0; i <= ALIAS_INCLUDES_MAX; i++)
		buf_printf(&text, ":include:%s,", other_path);
	buf_add_char(&text, '\0');
	write_file(path, buf_data(&text));
	write_file(other_path, "alice\n");
	f = alias_file_read(path);
	ok(f && alias_file_find(f, STR("all"))->incomplete &&
			alias_file_find(f, STR("all"))->count == ALIAS_INCLUDES_MAX,
		"no more than %d files are included", ALIAS_INCLUDES_MAX);
	alias_file_free(f);
	if (truncate(path, (off_t)ALIAS_FILE_BYTES_MAX + 1))
		printf("# the file cannot be made larger\n");
	ok(!alias_file_read(path), "nor is a file read that is too large");
	buf_free(&text);
	unlink(other_path);
}

static const struct alias *found;

static enum err find(const char *local)
{
	struct setting_list files = { (const char *const[]){ path, other_path }, 2 };

	return aliases_find(asker, &files, str_of(local), &found);
}

static void test_worker(void)
{
	struct buf why = { 0 };

	write_file(path, "info: alice\n");
	conf_set(conf, "domain", "example.test", "aliases_files", path, &why);
	conf_set(conf, "domain", "example.test", "aliases_files", other_path, &why);
	ok(find("info") == ERR_ABSENT, "without files there are no names");
	aliases_start(asker);
	ok(!find("INFO") && !strcmp(shown(found), "a:alice") && !find("\"info\""),
		"a name is found, however it is written");
	ok(find("sales") == ERR_AGAIN, "of a name that is not there nobody knows while a file is missing");
	write_file(other_path, "sales: bob\ninfo: nobody\n");
	timers_shift(asker->timers, ALIASES_LOOK_AGAIN_MS);
	timers_turn(asker->timers);
	TURN_UNTIL(find("sales") == OK);
	ok(!find("sales") && !strcmp(shown(found), "a:bob"), "when it is there it is read");
	ok(!find("info") && !strcmp(shown(found), "a:alice") && find("none") == ERR_ABSENT, "the first file counts");
	write_file(path, "info: alice, carol\n");
	ok(!find("info") && !strcmp(shown(found), "a:alice"), "a change is not seen at once");
	timers_shift(asker->timers, ALIASES_LOOK_MS);
	timers_turn(asker->timers);
	TURN_UNTIL(!find("info") && found->count == 2);
	ok(!find("info") && !strcmp(shown(found), "a:alice a:carol"), "but soon");
	unlink(path);
	timers_shift(asker->timers, ALIASES_LOOK_MS);
	timers_turn(asker->timers);
	ok(!find("info"), "what was read stays");
	turn_for(50);
	ok(!find("info"), "also once the file is gone");
	aliases_reload(asker);
	ok(!find("info") && !find("sales"), "a reload keeps what was read");
	aliases_stop(asker);
	ok(find("info") == ERR_ABSENT, "at the end there is nothing");
	buf_free(&why);
}

static void test_setting(void)
{
	struct conf *c = conf_new(test_settings);
	struct buf why = { 0 };

	conf_add_title(c, "domain", "example.test", &why);
	conf_set(c, "domain", "example.test", "aliases_files", "/etc/aliases", &why);
	ok(conf_check(c, &why), "a file is named by its whole path");
	conf_set(c, "domain", "example.test", "aliases_files", "aliases", &why);
	ok(!conf_check(c, &why) && str_find(buf_str(&why), '"') > 0, "and not otherwise");
	buf_free(&why);
	conf_unref(c);
}

int main(void)
{
	test_setting();
	test_begin(1);
	snprintf(path, sizeof(path), "%s/aliases", scratch_path);
	snprintf(list_path, sizeof(list_path), "%s/list", scratch_path);
	snprintf(other_path, sizeof(other_path), "%s/other", scratch_path);
	test_file();
	test_limits();
	test_worker();
	test_end();
	return done();
}
