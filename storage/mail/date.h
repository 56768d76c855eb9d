/* date.h - the dates of mail: read and written in each of their four forms, by arithmetic alone.
 *   message   Wed, 17 Jul 1996 02:44:25 -0700   (RFC 5322, 3.3)
 *   IMAP      17-Jul-1996 02:44:25 -0700        (RFC 3501, date-time)
 *   IMAP day  17-Jul-1996                       (RFC 3501, date)
 *   postmark  Wed Jul 17 09:44:25 1996          (an mbox From line: UTC)
 * Seconds count from 1970 in UTC. A day is numbered from 1970-01-01, whatever its zone: what SEARCH compares.
 * The calendar is Gregorian for ever; years run from 1 to 9999. Neither libc's time zones nor its locale matter. */
#ifndef STORAGE_MAIL_DATE_H
#define STORAGE_MAIL_DATE_H

#include "core/str.h"

struct date {
	int year, month, day; /* months and days from 1 */
	int hour, minute, second;
	int zone; /* minutes east of UTC */
};

#define DATE_TEXT_SIZE 48 /* room for any of them and a NUL */

int64_t date_seconds(const struct date *d);
int64_t date_day(const struct date *d); /* of the date as written: its time and zone do not matter */

/* The date of `seconds`, as clocks show it in that zone; clamped to the years 1 to 9999. */
struct date date_of(int64_t seconds, int zone);

/* Reading. False: it is no such date, and *d is not to be looked at. */

/* A Date field's value. Generous, as SENTSINCE wants an answer for what old and broken programs wrote: comments, no
 * weekday, years of two digits, zones by name, asctime's order; a time that cannot be is 00:00:00. */
bool date_message(struct str value, struct date *d);

/* Strict, but that the day may be written " 1" or "01". */
bool date_imap(struct str text, struct date *d);

/* Strict; "1-Feb-1994" or "01-Feb-1994". The time is 00:00:00 UTC. */
bool date_imap_day(struct str text, struct date *d);

/* What stands behind the sender in a From line; seconds may be missing, a zone may stand before or behind the year. */
bool date_postmark(struct str text, struct date *d);

/* Writing, with a NUL behind it. */
void date_message_print(char out[DATE_TEXT_SIZE], int64_t seconds, int zone);
void date_imap_print(char out[DATE_TEXT_SIZE], int64_t seconds, int zone);
void date_postmark_print(char out[DATE_TEXT_SIZE], int64_t seconds);

#endif
