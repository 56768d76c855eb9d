/* manual.c - the manual's page of the configuration file (pages.h), in man(7)'s roff. */
#include "conf/pages.h"
#include "conf/row_text.h"
#include "core/house.h"
#include "core/setting_value.h"

static const char head[] =
	".TH POSTERN.CONF 5 \"\" Postern \"File formats\"\n"
	".SH NAME\n"
	"postern.conf \\- configuration of the Postern messaging server\n"
	".SH DESCRIPTION\n"
	".BR postern (8)\n"
	"reads its whole configuration from one text file,\n"
	".I /etc/postern/postern.conf\n"
	"if\n"
	".B \\-c\n"
	"names no other. A file may be changed while the server runs:\n"
	".B postern check\n"
	"tells whether it is right and what it would change,\n"
	".B postern reload\n"
	"has the server take it up, whole or, if anything in it is wrong, not at all. Sessions go on as they are.\n"
	".PP\n"
	"The file holds settings,\n"
	".IR name \" = \" value ,\n"
	"and sections of settings in braces. A section with a title may occur any number of times, each with a title\n"
	"of its own. What is not set has its default. A name that is not known is an error.\n"
	".TP\n"
	"text\n"
	"in double quotes, where \\e stands before \\(dq, \\e and $; or, without blanks and special characters, as it\n"
	"is. ${NAME} stands for a variable of the environment.\n"
	".TP\n"
	"size\n"
	"a number of bytes, or a number with K, M, G or T for powers of 1,024.\n"
	".TP\n"
	"duration\n"
	"a number with its unit: ms, s, m, h or d.\n"
	".TP\n"
	"truth\n"
	"true or false; yes, no, on and off are taken too.\n"
	".TP\n"
	"list\n"
	"values with commas between them, in braces;\n"
	".IR name \" += { \" value \" }\"\n"
	"adds to what the list holds.\n"
	".PP\n"
	"A comment begins with # and ends with its line, or stands between /* and */.\n"
	".BI include(\\(dq FILE \\(dq)\n"
	"outside any section reads another file in its place; a relative name starts in the directory of the\n"
	"including file.\n"
	".SH SETTINGS\n"
	"Each is shown with its default.\n";

static const char tail[] = ".SH FILES\n"
			   ".TP\n"
			   ".I /etc/postern/postern.conf\n"
			   "the file that is read if no other is named.\n"
			   ".SH SEE ALSO\n"
			   ".BR postern (8)\n";

/* Text as roff shows it; never at the start of a line, where a dot or a quote would be a request. */
static void add_roff(struct str text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '\\')
			buf_printf(out, "\\e");
		else if (text.p[i] == '-')
			buf_printf(out, "\\-");
		else if (text.p[i] == '"')
			buf_printf(out, "\\(dq");
		else
			buf_add_char(out, text.p[i]);
	}
}

static void add_row(const struct setting *row, struct buf *out)
{
	struct buf text = { 0 };

	buf_printf(out, ".TP\n.BR \"%s\" \" = ", row->name);
	setting_print_default(row, &text);
	add_roff(buf_str(&text), out);
	buf_printf(out, "\"\n\\&");
	buf_clear(&text);
	row_text(row, &text);
	add_roff(buf_str(&text), out);
	buf_add_char(out, '\n');
	buf_free(&text);
}

static void add_table(const struct settings *table, struct buf *out)
{
	struct buf text = { 0 };

	if (*table->section) {
		row_header(table, &text);
		buf_printf(&text, " ... }");
	} else {
		buf_printf(&text, "Outside any section");
	}
	buf_printf(out, ".SS \"");
	add_roff(buf_str(&text), out);
	buf_printf(out, "\"\n\\&");
	add_roff(str_of(table->text), out);
	buf_add_char(out, '\n');
	for (const struct setting *row = table->rows; row->name; row++)
		add_row(row, out);
	buf_free(&text);
}

void pages_manual(struct buf *out)
{
	buf_printf(out, "%s", head);
	for (const struct settings *const *t = house.settings; *t; t++)
		add_table(*t, out);
	buf_printf(out, "%s", tail);
}
