/* Dates in their four forms, and the calendar under them. */
#include "storage/mail/date.h"
#include "t/tap.h"
#include <stdlib.h>
#include <time.h>

#define JULY_17 837596665 /* 17-Jul-1996 02:44:25 -0700 */

typedef bool reader(struct str text, struct date *d);

static const struct {
	reader *read;
	const char *what, *text;
	int64_t seconds; /* NEVER: it is no such date */
} rows[] = {
#define NEVER INT64_MIN
	{ date_imap, "an IMAP date-time", "17-Jul-1996 02:44:25 -0700", JULY_17 },
	{ date_imap, "the same moment elsewhere", "17-Jul-1996 09:44:25 +0000", JULY_17 },
	{ date_imap, "a day of one digit has a space before it", " 1-Jan-1970 00:00:00 +0000", 0 },
	{ date_imap, "... or a nought", "01-Jan-1970 00:00:00 +0000", 0 },
	{ date_imap, "... but not nothing", "1-Jan-1970 00:00:00 +0000", NEVER },
	{ date_imap, "months are read in any case", "17-JUL-1996 02:44:25 -0700", JULY_17 },
	{ date_imap, "there is no 30th of February", "30-Feb-1996 00:00:00 +0000", NEVER },
	{ date_imap, "1996 had a 29th of February", "29-Feb-1996 00:00:00 +0000", 825552000 },
	{ date_imap, "1900 had none", "29-Feb-1900 00:00:00 +0000", NEVER },
	{ date_imap, "a leap second is taken", "31-Dec-1998 23:59:60 +0000", 915148800 },
	{ date_imap, "there is no hour 24", "17-Jul-1996 24:00:00 +0000", NEVER },
	{ date_imap, "there is no minute 60", "17-Jul-1996 00:60:00 +0000", NEVER },
	{ date_imap, "a zone has a sign", "17-Jul-1996 02:44:25 00700", NEVER },
	{ date_imap, "a zone has 59 minutes at most", "17-Jul-1996 02:44:25 -0760", NEVER },
	{ date_imap, "nothing may follow", "17-Jul-1996 02:44:25 -07000", NEVER },
	{ date_imap, "nothing is no date", "", NEVER },
	{ date_imap_day, "an IMAP date", "1-Feb-1994", 760060800 },
	{ date_imap_day, "an IMAP date with a nought", "01-Feb-1994", 760060800 },
	{ date_imap_day, "an IMAP date has a year of four digits", "1-Feb-94", NEVER },
	{ date_imap_day, "an IMAP date has a month by name", "1-2-1994", NEVER },
	{ date_imap_day, "an IMAP date ends behind its year", "1-Feb-1994 ", NEVER },
	{ date_message, "a Date field (RFC 5322, A.1.1)", " Fri, 21 Nov 1997 09:55:06 -0600\r\n", 880127706 },
	{ date_message, "the weekday may be missing", "21 Nov 1997 09:55:06 -0600", 880127706 },
	{ date_message, "the seconds may be missing", "21 Nov 1997 09:55 -0600", 880127700 },
	{ date_message, "years of two digits (A.6.2)", "21 Nov 97 09:55:06 GMT", 880106106 },
	{ date_message, "... below 50 are of this century", "21 Nov 07 09:55:06 GMT", 1195638906 },
	{ date_message, "years of three digits count from 1900", "1 Jan 100 00:00:00 GMT", 946684800 },
	{ date_message, "comments and folding (A.5)",
		"Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n"
		"               -0330 (Newfoundland Time)",
		-27723480 },
	{ date_message, "zones by name", "17 Jul 1996 02:44:25 PDT", JULY_17 },
	{ date_message, "zones that nobody knows are UTC", "17 Jul 1996 09:44:25 XYZ", JULY_17 },
	{ date_message, "a military zone says nothing", "17 Jul 1996 09:44:25 A", JULY_17 },
	{ date_message, "asctime's order", "Wed Jul 17 09:44:25 1996", JULY_17 },
	{ date_message, "dashes", "17-Jul-1996 02:44:25 -0700", JULY_17 },
	{ date_message, "a full month's name", "Wednesday, 17 July 1996 02:44:25 -0700", JULY_17 },
	{ date_message, "a time that cannot be leaves the day", "17 Jul 1996 25:44:25 +0000", 837561600 },
	{ date_message, "a day that cannot be does not", "32 Jul 1996 02:44:25 +0000", NEVER },
	{ date_message, "a word is no date", "yesterday", NEVER },
	{ date_message, "nor is a string of numbers", "99999999999999999999 1 2 3 4 5", NEVER },
	{ date_postmark, "a postmark", "Wed Jul 17 09:44:25 1996", JULY_17 },
	{ date_postmark, "a postmark of the first days", "Thu Jan  1 00:00:00 1970", 0 },
	{ date_postmark, "a zone before the year", "Wed Jul 17 02:44:25 PDT 1996", JULY_17 },
	{ date_postmark, "a zone behind the year", "Wed Jul 17 02:44:25 1996 -0700", JULY_17 },
	{ date_postmark, "no seconds", "Wed Jul 17 09:44 1996", JULY_17 - 25 },
	{ date_postmark, "a postmark needs its weekday", "Jul 17 09:44:25 1996", NEVER },
	{ date_postmark, "a postmark needs its time", "Wed Jul 17 1996", NEVER },
};

static void test_reading(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct date d;
		int64_t got = rows[i].read(str_of(rows[i].text), &d) ? date_seconds(&d) : NEVER;

		if (!ok(got == rows[i].seconds, "%s", rows[i].what))
			printf("# got %lld\n", (long long)got);
	}
}

static void test_writing(void)
{
	char text[DATE_TEXT_SIZE];
	struct date d;

	date_message_print(text, JULY_17, -7 * 60);
	ok(!strcmp(text, "Wed, 17 Jul 1996 02:44:25 -0700"), "a Date field is written as RFC 5322 has it: %s", text);
	date_message_print(text, 0, 330);
	ok(!strcmp(text, "Thu, 01 Jan 1970 05:30:00 +0530"), "a day of one digit has a nought there: %s", text);
	date_imap_print(text, JULY_17, -7 * 60);
	ok(!strcmp(text, "17-Jul-1996 02:44:25 -0700"), "an IMAP date-time is written: %s", text);
	date_imap_print(text, 0, -30);
	ok(!strcmp(text, "31-Dec-1969 23:30:00 -0030"), "half an hour west, it was last year: %s", text);
	date_imap_print(text, 31 * 86400, 0);
	ok(!strcmp(text, " 1-Feb-1970 00:00:00 +0000"), "a day of one digit has a space there: %s", text);
	date_postmark_print(text, JULY_17);
	ok(!strcmp(text, "Wed Jul 17 09:44:25 1996"), "a postmark is written in UTC: %s", text);
	date_postmark_print(text, 0);
	ok(!strcmp(text, "Thu Jan  1 00:00:00 1970"), "the first one of all: %s", text);
	date_imap_print(text, INT64_MAX, 60);
	ok(!strcmp(text, "31-Dec-9999 23:59:59 +0000"), "after the last second it stands still: %s", text);
	date_imap_print(text, INT64_MIN, -60);
	ok(!strcmp(text, " 1-Jan-0001 00:00:00 +0000"), "before the first too: %s", text);
	ok(date_imap(STR("17-Jul-1996 23:00:00 -0700"), &d) && date_day(&d) == 9694,
		"a day is the one that is written, whatever day it is in Greenwich");
}

/* libc knows the calendar as well: it is asked about every day of 1,000 years, and at random moments. */
static void test_calendar(void)
{
	int64_t bad = 0;

	srandom(1);
	for (int64_t day = -200000; day < 200000; day++) {
		time_t seconds = (time_t)(day * 86400 + random() % 86400);
		struct date d = date_of(seconds, 0);
		struct tm tm;

		gmtime_r(&seconds, &tm);
		bad += tm.tm_year + 1900 != d.year || tm.tm_mon + 1 != d.month || tm.tm_mday != d.day ||
		       tm.tm_hour != d.hour || tm.tm_min != d.minute || tm.tm_sec != d.second ||
		       date_seconds(&d) != seconds || date_day(&d) != day;
	}
	ok(bad == 0, "each day from 1422 to 2517 is what libc says, there and back");
	for (int64_t i = 0; i < 10000; i++) {
		int64_t seconds = random() - 500000000;
		int zone = (int)(random() % (24 * 60 - 1)) - 12 * 60;
		char text[DATE_TEXT_SIZE];
		struct date d;

		date_imap_print(text, seconds, zone);
		bad += !date_imap(str_of(text), &d) || date_seconds(&d) != seconds || d.zone != zone;
		date_message_print(text, seconds, zone);
		bad += !date_message(str_of(text), &d) || date_seconds(&d) != seconds || d.zone != zone;
		date_postmark_print(text, seconds);
		bad += !date_postmark(str_of(text), &d) || date_seconds(&d) != seconds;
	}
	ok(bad == 0, "what is written is read as the same moment, in every form and zone");
}

int main(void)
{
	test_reading();
	test_writing();
	test_calendar();
	return done();
}
