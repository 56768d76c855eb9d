/* date.c - see date.h. */
#include "storage/mail/date.h"
#include "storage/mail/token.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define DAY_SECONDS 86400
#define YEAR_LAST   9999
#define IMAP_LEN    26                    /* bytes of an IMAP date-time */
#define SECONDS_MIN (-62135596800)        /* 0001-01-01 00:00:00 */
#define SECONDS_MAX INT64_C(253402300799) /* 9999-12-31 23:59:59 */

static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov",
	"Dec" };
static const char weekdays[7][4] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" }; /* day 0 was a Thursday */

/* Days from 1970-01-01. Years are taken to begin in March, so that the leap day ends one; 400 years have 146097 days. */
static int64_t days_from_civil(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static void civil_from_days(int64_t days, struct date *d)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t day_of_era = z - era * 146097;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t from_march = (5 * day_of_year + 2) / 153;

	d->day = (int)(day_of_year - (153 * from_march + 2) / 5 + 1);
	d->month = (int)(from_march < 10 ? from_march + 3 : from_march - 9);
	d->year = (int)(year_of_era + era * 400 + (d->month <= 2));
}

static int days_in_month(int year, int month)
{
	static const int days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

static bool day_exists(const struct date *d)
{
	return d->year >= 1 && d->year <= YEAR_LAST && d->month >= 1 && d->month <= 12 && d->day >= 1 &&
	       d->day <= days_in_month(d->year, d->month);
}

static bool time_exists(const struct date *d)
{
	return d->hour < 24 && d->minute < 60 && d->second <= 60; /* 60: a leap second */
}

int64_t date_day(const struct date *d)
{
	return days_from_civil(d->year, d->month, d->day);
}

int64_t date_seconds(const struct date *d)
{
	return date_day(d) * DAY_SECONDS + d->hour * 3600 + d->minute * 60 + d->second - d->zone * 60;
}

struct date date_of(int64_t seconds, int zone)
{
	struct date d = { .zone = zone };
	int64_t days, left;

	assert(abs(zone) < 24 * 60);
	if (seconds < SECONDS_MIN)
		seconds = SECONDS_MIN;
	if (seconds > SECONDS_MAX)
		seconds = SECONDS_MAX;
	seconds += zone * 60;
	if (seconds < SECONDS_MIN || seconds > SECONDS_MAX) {
		seconds -= zone * 60;
		d.zone = 0;
	}
	days = seconds / DAY_SECONDS - (seconds % DAY_SECONDS < 0);
	left = seconds - days * DAY_SECONDS;
	civil_from_days(days, &d);
	d.hour = (int)(left / 3600);
	d.minute = (int)(left / 60 % 60);
	d.second = (int)(left % 60);
	return d;
}

/* Takes at most `most` digits; how many there were. */
static int take_digits(struct str *left, int most, int *value)
{
	int digits = 0;

	*value = 0;
	while (digits < most && left->len && token_is_digit(left->p[0])) {
		*value = *value * 10 + (left->p[0] - '0');
		*left = str_cut(*left, 1, left->len);
		digits++;
	}
	return digits;
}

static bool take_char(struct str *left, char c)
{
	if (!left->len || left->p[0] != c)
		return false;
	*left = str_cut(*left, 1, left->len);
	return true;
}

/* 1 for January; 0 if s does not begin with a month's name. */
static int month_of(struct str s)
{
	for (int i = 0; i < 12; i++)
		if (str_starts_nocase(s, str_of(months[i])))
			return i + 1;
	return 0;
}

static bool is_weekday(struct str s)
{
	for (int i = 0; i < 7; i++)
		if (str_starts_nocase(s, str_of(weekdays[i])))
			return true;
	return false;
}

/* "+hhmm", as minutes. */
static bool take_zone(struct str *left, int *zone)
{
	struct str s = *left;
	bool west = take_char(&s, '-');
	int digits;

	if (!west && !take_char(&s, '+'))
		return false;
	if (take_digits(&s, 4, &digits) != 4 || digits % 100 > 59 || digits / 100 > 23)
		return false;
	*zone = (digits / 100 * 60 + digits % 100) * (west ? -1 : 1);
	*left = s;
	return true;
}

/* "17-Jul-1996" */
static bool take_imap_day(struct str *left, struct date *d)
{
	if (!take_digits(left, 2, &d->day) || !take_char(left, '-') || !(d->month = month_of(*left)))
		return false;
	*left = str_cut(*left, 3, left->len);
	return take_char(left, '-') && take_digits(left, 4, &d->year) == 4 && day_exists(d);
}

bool date_imap_day(struct str text, struct date *d)
{
	*d = (struct date){ 0 };
	return take_imap_day(&text, d) && !text.len;
}

bool date_imap(struct str text, struct date *d)
{
	*d = (struct date){ 0 };
	if (text.len != IMAP_LEN)
		return false;
	take_char(&text, ' ');
	return take_imap_day(&text, d) && take_char(&text, ' ') && take_digits(&text, 2, &d->hour) == 2 &&
	       take_char(&text, ':') && take_digits(&text, 2, &d->minute) == 2 && take_char(&text, ':') &&
	       take_digits(&text, 2, &d->second) == 2 && time_exists(d) && take_char(&text, ' ') &&
	       take_zone(&text, &d->zone) && !text.len;
}

/* The zones of RFC 5322, 4.3. The one-letter ones were once defined with the wrong sign, so they say nothing. */
static int zone_of(struct str name)
{
	static const struct {
		const char name[4];
		int hours;
	} zones[] = { { "EDT", -4 }, { "EST", -5 }, { "CDT", -5 }, { "CST", -6 }, { "MDT", -6 }, { "MST", -7 },
		{ "PDT", -7 }, { "PST", -8 } };

	for (size_t i = 0; i < sizeof(zones) / sizeof(*zones); i++)
		if (str_eq_nocase(name, str_of(zones[i].name)))
			return zones[i].hours * 60;
	return 0;
}

/* What of a date has been read, in whatever order it came. */
enum { WEEKDAY = 1, DAY = 2, MONTH = 4, YEAR = 8, TIME = 16 };

/* A number: hours if a colon follows, else the day, else the year (RFC 5322, 4.3 on short ones). */
static unsigned read_number(struct str *left, unsigned seen, struct date *d)
{
	int value, digits = take_digits(left, 9, &value);

	if (!(seen & TIME) && take_char(left, ':')) {
		d->hour = value;
		if (!take_digits(left, 2, &d->minute) || (take_char(left, ':') && !take_digits(left, 2, &d->second)) ||
			!time_exists(d))
			d->hour = d->minute = d->second = 0;
		return TIME;
	}
	if (!(seen & DAY) && digits <= 2) {
		d->day = value;
		return DAY;
	}
	if (!(seen & YEAR) && digits >= 2) {
		if (digits == 2)
			value += value < 50 ? 2000 : 1900;
		d->year = digits == 3 ? value + 1900 : value;
		return YEAR;
	}
	return 0;
}

static unsigned read_word(struct str *left, unsigned seen, struct date *d)
{
	size_t len = 0;
	struct str word;
	int month;

	while (len < left->len && token_is_alpha(left->p[len]))
		len++;
	word = str_cut(*left, 0, len);
	*left = str_cut(*left, len, left->len);
	if (!(seen & MONTH) && (month = month_of(word))) {
		d->month = month;
		return MONTH;
	}
	if (is_weekday(word))
		return WEEKDAY;
	if (seen & TIME)
		d->zone = zone_of(word);
	return 0;
}

/* Reads the parts of a date in any order; what there was of them. */
static unsigned read_parts(struct str left, struct date *d)
{
	unsigned seen = 0;

	*d = (struct date){ 0 };
	while (left.len) {
		bool date_part = true;

		token_space(&left, NULL);
		if (!left.len)
			break;
		if (token_is_digit(left.p[0]))
			seen |= read_number(&left, seen, d);
		else if (token_is_alpha(left.p[0]))
			seen |= read_word(&left, seen, d);
		else if ((date_part = false, !take_zone(&left, &d->zone)))
			left = str_cut(left, 1, left.len);
		if (date_part && !(seen & YEAR))
			take_char(&left, '-'); /* 17-Jul-1996 */
	}
	return seen;
}

bool date_message(struct str value, struct date *d)
{
	const unsigned needed = DAY | MONTH | YEAR;

	return (read_parts(value, d) & needed) == needed && day_exists(d);
}

bool date_postmark(struct str text, struct date *d)
{
	const unsigned needed = WEEKDAY | DAY | MONTH | YEAR | TIME;

	return (read_parts(text, d) & needed) == needed && day_exists(d);
}

static const char *weekday_of(const struct date *d)
{
	int64_t in_week = date_day(d) % 7;

	return weekdays[in_week < 0 ? in_week + 7 : in_week];
}

void date_message_print(char out[DATE_TEXT_SIZE], int64_t seconds, int zone)
{
	struct date d = date_of(seconds, zone);
	int minutes = abs(d.zone);

	snprintf(out, DATE_TEXT_SIZE, "%s, %02d %s %04d %02d:%02d:%02d %c%02d%02d", weekday_of(&d), d.day,
		months[d.month - 1], d.year, d.hour, d.minute, d.second, d.zone < 0 ? '-' : '+', minutes / 60,
		minutes % 60);
}

void date_imap_print(char out[DATE_TEXT_SIZE], int64_t seconds, int zone)
{
	struct date d = date_of(seconds, zone);
	int minutes = abs(d.zone);

	snprintf(out, DATE_TEXT_SIZE, "%2d-%s-%04d %02d:%02d:%02d %c%02d%02d", d.day, months[d.month - 1], d.year,
		d.hour, d.minute, d.second, d.zone < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

void date_postmark_print(char out[DATE_TEXT_SIZE], int64_t seconds)
{
	struct date d = date_of(seconds, 0);

	snprintf(out, DATE_TEXT_SIZE, "%s %s %2d %02d:%02d:%02d %04d", weekday_of(&d), months[d.month - 1], d.day,
		d.hour, d.minute, d.second, d.year);
}
