/* queue_files.h - the queue's files in tests: looked at, changed by hand, thrown away; the queue of one worker above them. */
#ifndef T_QUEUE_FILES_H
#define T_QUEUE_FILES_H

#include "t/queue.h"
#include <dirent.h>

#define TEXT "Subject: hello\n\nbody\n"

static struct worker *w = &workers[0];

static const char *path_of(unsigned directory, const char *name)
{
	static char path[300];

	snprintf(path, sizeof(path), "%s/queue/%u/%s", scratch_path, directory, name);
	return path;
}

/* Names in the directory that end so, sorted, with a space behind each. */
__attribute__((unused)) static const char *names_of(unsigned directory, const char *suffix)
{
	static struct buf names;
	struct dirent **list;
	int count = scandir(path_of(directory, ""), &list, NULL, alphasort);

	buf_clear(&names);
	for (int i = 0; i < count; i++) {
		struct str name = str_of(list[i]->d_name);

		if (name.len > strlen(suffix) && !strcmp(name.p + name.len - strlen(suffix), suffix))
			buf_printf(&names, "%s ", name.p);
		free(list[i]);
	}
	if (count >= 0)
		free(list);
	buf_add_char(&names, '\0');
	return buf_data(&names);
}

/* The first file of that suffix in worker 0's directory. */
__attribute__((unused)) static const char *first_file(const char *suffix)
{
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(names_of(0, suffix), " "), names_of(0, suffix));
	return path_of(0, name);
}

__attribute__((unused)) static struct buf file_text(const char *path)
{
	struct buf b = { 0 };
	FILE *f = fopen(path, "r");
	size_t n = 1;

	while (f && n) {
		n = fread(buf_room(&b, 4096), 1, 4096, f);
		buf_added(&b, n);
	}
	if (f)
		fclose(f);
	return b;
}

__attribute__((unused)) static void file_write(const char *path, struct str bytes)
{
	FILE *f = fopen(path, "w");

	if (!f || fwrite(bytes.p, 1, bytes.len, f) != bytes.len)
		abort();
	fclose(f);
}

__attribute__((unused)) static void file_add(const char *path, const char *text)
{
	FILE *f = fopen(path, "a");

	if (!f || fputs(text, f) < 0)
		abort();
	fclose(f);
}

/* Puts `with` in the place of the first `from` in the file. */
__attribute__((unused)) static void file_replace(const char *path, const char *from, const char *with)
{
	struct buf b = file_text(path), out = { 0 };
	char *at = memmem(buf_data(&b), buf_len(&b), from, strlen(from));

	if (!at)
		abort();
	buf_add(&out, buf_data(&b), (size_t)(at - buf_data(&b)));
	buf_add_str(&out, str_of(with));
	buf_add(&out, at + strlen(from), buf_len(&b) - (size_t)(at - buf_data(&b)) - strlen(from));
	file_write(path, buf_str(&out));
	buf_free(&b);
	buf_free(&out);
}

__attribute__((unused)) static void end_all(void)
{
	for (struct queue_message *m = queue_after(w->queue, 0); m; m = queue_after(w->queue, m->id))
		for (uint32_t i = 0; i < m->count; i++)
			if (m->items[i].message && m->items[i].state != ITEM_CLOSING)
				change(w, &m->items[i], FATE_ENDED, 0);
	TURN_UNTIL(!queue_totals(w->queue).messages);
	buf_clear(&heard);
}

/* A store's queue of one worker, stopped, to do things to its files; begun() goes on with it. */
__attribute__((unused)) static void stop_all(void)
{
	queues_end();
}

__attribute__((unused)) static void begin_again(unsigned count)
{
	buf_clear(&heard);
	start(count);
	queues_begin();
	queues_read();
}

/* All that the worker has is gone, files and all. */
__attribute__((unused)) static void fresh(void)
{
	struct dirent **list;
	int count;

	end_all();
	stop_all();
	count = scandir(path_of(0, ""), &list, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		unlink(path_of(0, list[i]->d_name));
		free(list[i]);
	}
	if (count >= 0)
		free(list);
	begin_again(1);
}

__attribute__((unused)) static void log_to_nothing(void)
{
	if (getenv("VERBOSE"))
		log_set_levels("info");
	else
		log_to(open("/dev/null", O_WRONLY | O_CLOEXEC));
}

#endif
