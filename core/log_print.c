/* log_print.c - see log_print.h. */
#include "core/log_print.h"
#include "core/buf.h"
#include "core/plain.h"
#include <errno.h>
#include <stdio.h>

#define PRINT_MAX  2000 /* bytes that log_print adds */
#define NUMBER_MAX 400  /* of one, in its widest form */
#define SPEC_MAX   32   /* of a conversion: "%-20.3lld" */

enum where {
	PLAIN,   /* between fields */
	VALUE,   /* behind key= */
	WORD,    /* in a value without signs around it */
	QUOTED,  /* between " and " */
	BRACKETS /* between < and > */
};

struct line {
	char *text;
	size_t len, max;
	enum where where;
	bool key; /* the last of the format could be one */
	bool full;
};

static void add(struct line *l, const char *bytes, size_t len)
{
	if (l->full || len > l->max - l->len) {
		l->full = true; /* what is behind it would look as if it followed */
		return;
	}
	memcpy(l->text + l->len, bytes, len);
	l->len += len;
}

static void add_escaped(struct line *l, char c)
{
	char text[8];

	add(l, text, (size_t)snprintf(text, sizeof(text), "\\x%02x", (unsigned char)c));
}

/* Bytes at the front that are the same in every place. */
static size_t simple_size(struct str s)
{
	size_t size = 0;

	while (size < s.len && s.p[size] > ' ' && s.p[size] <= '~' && s.p[size] != '"' && s.p[size] != '<' &&
		s.p[size] != '>' && s.p[size] != '\\')
		size++;
	return size;
}

/* What stands in an argument, such that it ends nothing. */
static void add_text(struct line *l, struct str s)
{
	size_t simple = simple_size(s);

	if (simple <= l->max - l->len) {
		add(l, s.p, simple);
		s = str_cut(s, simple, s.len);
	}
	while (s.len && !l->full) {
		size_t size = plain_size(s);
		bool ends = (l->where == QUOTED && *s.p == '"') || (l->where == BRACKETS && *s.p == '>');

		if (!size || (l->where == WORD && strchr(" \"<\\", *s.p)))
			add_escaped(l, *s.p);
		else if (ends || (*s.p == '\\' && (l->where == QUOTED || l->where == BRACKETS)))
			add(l, (const char[]){ '\\', *s.p }, 2);
		else
			add(l, s.p, size);
		size += !size;
		s = str_cut(s, size, s.len);
	}
}

/* A character of the format: where what follows stands. */
static void step(struct line *l, char c)
{
	bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' ||
	              (c >= '0' && c <= '9');

	switch (l->where) {
	case PLAIN:
		if (c == '=' && l->key)
			l->where = VALUE;
		break;
	case VALUE:
		l->where = c == '"' ? QUOTED : c == '<' ? BRACKETS : c == ' ' ? PLAIN : WORD;
		break;
	case WORD:
		if (c == ' ')
			l->where = PLAIN;
		break;
	case QUOTED:
		if (c == '"')
			l->where = PLAIN;
		break;
	case BRACKETS:
		if (c == '>')
			l->where = PLAIN;
		break;
	}
	l->key = letter;
	if (l->len < l->max)
		l->text[l->len++] = c;
	else
		l->full = true;
}

/* --- conversions ----------------------------------------------------------------------------------------------------- */

struct spec {                /* one, taken apart */
	char text[SPEC_MAX]; /* "%-5" : flags, width and precision, as printf wants them */
	size_t len;
	int precision; /* -1: none */
	char size;     /* 'L': long long, 'l': long, 'z': size_t, 0: int */
	char kind;
};

static void spec_add(struct spec *s, char c)
{
	if (s->len + 4 < SPEC_MAX)
		s->text[s->len++] = c;
}

static void spec_number(struct spec *s, int number)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", number);
	for (const char *c = text; *c; c++)
		spec_add(s, *c);
}

/* Takes it off the format, from behind its %. A * takes its argument. */
static const char *spec_read(struct spec *s, const char *fmt, va_list *args)
{
	bool behind_point = false;

	*s = (struct spec){ .text = "%", .len = 1, .precision = -1 };
	for (; *fmt && strchr("-+ #0123456789.*", *fmt); fmt++) {
		int number = *fmt == '*' ? va_arg(*args, int) : *fmt - '0';

		if (*fmt == '.') {
			behind_point = true;
			s->precision = 0;
		} else if (behind_point) {
			s->precision = *fmt == '*' ? number : 10 * s->precision + number;
		}
		if (*fmt == '*')
			spec_number(s, number);
		else
			spec_add(s, *fmt);
	}
	for (; *fmt && strchr("hlzjt", *fmt); fmt++)
		s->size = *fmt == 'h' ? s->size : *fmt == 'l' && s->size == 'l' ? 'L' : *fmt == 'l' ? 'l' : 'z';
	s->kind = *fmt;
	return *fmt ? fmt + 1 : fmt;
}

static void add_string(struct line *l, const struct spec *s, va_list *args)
{
	const char *text = va_arg(*args, const char *);
	size_t most = s->precision < 0 ? SIZE_MAX : (size_t)s->precision;

	if (!text) /* of no bytes, as of an empty str */
		text = "";
	add_text(l, (struct str){ text, most == SIZE_MAX ? strlen(text) : strnlen(text, most) });
}

static void add_integer(struct line *l, struct spec *s, va_list *args)
{
	bool is_signed = s->kind == 'd' || s->kind == 'i';
	char text[NUMBER_MAX];
	long long number;

	if (s->size == 'L')
		number = va_arg(*args, long long);
	else if (s->size == 'l')
		number = is_signed ? va_arg(*args, long) : (long long)va_arg(*args, unsigned long);
	else if (s->size == 'z')
		number = (long long)va_arg(*args, size_t);
	else
		number = is_signed ? va_arg(*args, int) : (long long)va_arg(*args, unsigned);
	memcpy(s->text + s->len, (char[]){ 'l', 'l', s->kind, 0 }, 4);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof(text), s->text, number);
#pragma GCC diagnostic pop
	add_text(l, str_of(text));
}

static void add_other(struct line *l, struct spec *s, va_list *args)
{
	char text[NUMBER_MAX], c;
	double number;

	switch (s->kind) {
	case '%':
		add(l, "%", 1);
		break;
	case 'c':
		c = (char)va_arg(*args, int);
		add_text(l, (struct str){ &c, 1 });
		break;
	case 'm':
		add_text(l, str_of(strerror(errno)));
		break;
	case 'p':
		snprintf(text, sizeof(text), "%p", va_arg(*args, void *));
		add_text(l, str_of(text));
		break;
	default: /* the rest are numbers with a point */
		number = va_arg(*args, double);
		snprintf(text, sizeof(text), "%.*f", s->precision < 0 ? 6 : s->precision, number);
		add_text(l, str_of(text));
	}
}

size_t log_vprint(char *line, size_t size, const char *fmt, va_list args)
{
	struct line l = { .text = line, .max = size };
	struct spec s;
	va_list left;

	va_copy(left, args);
	while (*fmt && !l.full) {
		if (*fmt != '%') {
			step(&l, *fmt++);
			continue;
		}
		fmt = spec_read(&s, fmt + 1, &left);
		if (l.where == VALUE)
			l.where = WORD;
		l.key = l.where == PLAIN;
		if (s.kind == 's')
			add_string(&l, &s, &left);
		else if (strchr("diuxXo", s.kind))
			add_integer(&l, &s, &left);
		else
			add_other(&l, &s, &left);
	}
	va_end(left);
	return l.len;
}

void log_print(struct buf *out, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	buf_added(out, log_vprint(buf_room(out, PRINT_MAX), PRINT_MAX, fmt, args));
	va_end(args);
}
