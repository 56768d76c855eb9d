/* print.c - see print.h. */
#include "storage/mail/print.h"
#include "storage/mail/form.h"
#include <string.h>

#define LOOK_MAX 16384 /* bytes of a line: as many as its readers look at */
#define FACTOR   UINT64_C(0x9e3779b97f4a7c15)

bool print_is_length(struct str line)
{
	return str_starts_nocase(line, STR("Content-Length:")) || str_starts_nocase(line, STR("Lines:"));
}

static uint64_t mix(uint64_t sum, struct str s)
{
	while (s.len) {
		size_t n = s.len < sizeof(uint64_t) ? s.len : sizeof(uint64_t);
		uint64_t word = n;

		memcpy(&word, s.p, n);
		sum = (sum ^ word) * FACTOR;
		sum ^= sum >> 29;
		s = str_cut(s, n, s.len);
	}
	return sum;
}

void print_line(struct print *p, struct str line)
{
	struct str value;
	bool folded = line.len && (line.p[0] == ' ' || line.p[0] == '\t');

	if (!folded)
		p->passing = line.len && (line.p[0] == '>' || print_is_length(line) ||
						 form_field_of(line, true, &value) != FORM_OTHER);
	while (line.len && line.p[0] == '\0') /* of a run of them a reader may see but one */
		line = str_cut(line, 1, line.len);
	if (!p->passing)
		p->sum = mix(p->sum, str_cut(line, 0, line.len < LOOK_MAX ? line.len : LOOK_MAX));
}

uint64_t print_end(const struct print *p)
{
	return p->sum ? p->sum : 1;
}

uint64_t print_of(struct str header)
{
	struct print p = { 0 };

	while (header.len && header.p[0] != '\n' && !str_starts(header, STR("\r\n"))) {
		ptrdiff_t lf = str_find(header, '\n');
		size_t len = lf < 0 ? header.len : (size_t)lf + 1;

		print_line(&p, str_cut(header, 0, len));
		header = str_cut(header, len, header.len);
	}
	return print_end(&p);
}
