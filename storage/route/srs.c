/* srs.c - see srs.h. The hash is 6 letters of base 32 (30 bits): a mailbox's local part has room for 64 octets, and who
 * guesses needs a transaction for each try. It is taken of lower case, and its letters mean the same in either. */
#include "storage/route/srs.h"
#include "core/buf.h"
#include "storage/mail/address.h"
#include <openssl/hmac.h>
#include <openssl/mem.h>
#include <openssl/sha.h>

#define HASH_LETTERS 6
#define TIME_LETTERS 2
#define TIME_DAYS    1024 /* after which the day numbers begin anew */
#define DAY_S        86400

static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";

static int letter_value(char c)
{
	const char *at = c ? strchr(letters, ascii_lower(c)) : NULL;

	return at ? (int)(at - letters) : -1;
}

static void hash_of(struct str key, struct str text, char hash[HASH_LETTERS])
{
	uint8_t sum[SHA256_DIGEST_LENGTH];
	unsigned len = 0, bits = 0;
	struct buf lower = { 0 };

	for (size_t i = 0; i < text.len; i++)
		buf_add_char(&lower, ascii_lower(text.p[i]));
	HMAC(EVP_sha256(), key.p, key.len, (const uint8_t *)buf_data(&lower), buf_len(&lower), sum, &len);
	buf_free(&lower);
	for (unsigned i = 0; i < HASH_LETTERS; i++, bits += 5)
		hash[i] = letters[((sum[bits / 8] << 8 | sum[bits / 8 + 1]) >> (11 - bits % 8)) & 31];
}

static bool hash_is_right(struct str key, struct str text, struct str hash)
{
	char right[HASH_LETTERS], given[HASH_LETTERS];

	if (hash.len != HASH_LETTERS)
		return false;
	hash_of(key, text, right);
	for (unsigned i = 0; i < HASH_LETTERS; i++)
		given[i] = ascii_lower(hash.p[i]);
	return !CRYPTO_memcmp(right, given, HASH_LETTERS);
}

bool srs_is(struct str address)
{
	return str_starts_nocase(address, STR("SRS0")) || str_starts_nocase(address, STR("SRS1"));
}

/* A local part without its quotes. */
static struct str unquoted(struct arena *a, struct str local)
{
	char *text;
	size_t len = 0;

	if (!local.len || local.p[0] != '"')
		return local;
	text = arena_alloc(a, local.len);
	for (size_t i = 1; i + 1 < local.len; i++) {
		if (local.p[i] == '\\' && i + 2 < local.len)
			i++;
		text[len++] = local.p[i];
	}
	return (struct str){ text, len };
}

/* local@domain, with quotes where they must be. */
static enum err address_make(struct arena *a, struct str local, struct str domain, struct str *out)
{
	struct address_path path;
	struct buf text = { 0 };
	enum err e;

	buf_add_char(&text, '"');
	for (size_t i = 0; i < local.len; i++) {
		if (local.p[i] == '"' || local.p[i] == '\\')
			buf_add_char(&text, '\\');
		buf_add_char(&text, local.p[i]);
	}
	buf_printf(&text, "\"@" STR_FMT, STR_ARG(domain));
	e = address_mailbox(a, buf_str(&text), ADDRESS_UTF8, &path);
	buf_free(&text);
	if (!e)
		*out = address_text(a, &path);
	return e;
}

static struct str day_letters(struct arena *a, int64_t now_s)
{
	unsigned day = (unsigned)(now_s / DAY_S % TIME_DAYS);

	return str_of(arena_printf(a, "%c%c", letters[day >> 5], letters[day & 31]));
}

/* Another forwarder's: "SRS0=..." or "SRS1=..."; the separator may be another one. */
static bool is_rewritten(struct str local, char kind)
{
	return local.len > 5 && str_starts_nocase(local, STR("SRS")) && local.p[3] == kind &&
	       strchr("=+-", local.p[4]) != NULL;
}

/* Takes what stands before the next '='. */
static bool take_part(struct str *left, struct str *part)
{
	ptrdiff_t end = str_find(*left, '=');

	if (end <= 0)
		return false;
	*part = str_cut(*left, 0, (size_t)end);
	*left = str_cut(*left, (size_t)end + 1, left->len);
	return true;
}

/* What SRS1 holds of a sender that is another's SRS0 or SRS1: the first who rewrote it, and the rest with its separator.
 * False: it only looks like one, and is a sender like others. */
static bool chain_of(struct arena *a, struct str local, struct str domain, struct str *host, struct str *rest)
{
	struct str hash, known;

	*host = domain;
	*rest = str_cut(local, local.len < 4 ? local.len : 4, local.len);
	if (is_rewritten(local, '0'))
		return true;
	if (!is_rewritten(local, '1'))
		return false;
	*rest = str_cut(local, 5, local.len);
	return take_part(rest, &hash) && take_part(rest, host) && rest->len &&
	       !address_domain(a, *host, ADDRESS_UTF8, &known);
}

enum err srs_forward(
	struct arena *a, struct str key, struct str sender, struct str domain, int64_t now_s, struct str *out)
{
	struct str local, text, host, rest, kind = STR("SRS1=");
	struct address_path path;
	char hash[HASH_LETTERS];
	enum err e = address_mailbox(a, sender, ADDRESS_UTF8, &path);

	if (e)
		return e;
	local = unquoted(a, path.local);
	if (!local.len)
		return ERR_MISTAKE;
	if ((is_rewritten(local, '0') || is_rewritten(local, '1')) && str_eq_nocase(path.domain, domain)) {
		*out = sender; /* it is ours already */
		return OK;
	}
	if (chain_of(a, local, path.domain, &host, &rest)) {
		text = str_of(arena_printf(a, STR_FMT "=" STR_FMT, STR_ARG(host), STR_ARG(rest)));
	} else {
		kind = STR("SRS0=");
		text = str_of(arena_printf(a, STR_FMT "=" STR_FMT "=" STR_FMT, STR_ARG(day_letters(a, now_s)),
			STR_ARG(path.domain), STR_ARG(local)));
	}
	hash_of(key, text, hash);
	return address_make(a,
		str_of(arena_printf(a, STR_FMT "%.*s=" STR_FMT, STR_ARG(kind), HASH_LETTERS, hash, STR_ARG(text))),
		domain, out);
}

static enum err time_check(struct str time, int64_t now_s)
{
	int high, low, today = (int)(now_s / DAY_S % TIME_DAYS);

	if (time.len != TIME_LETTERS || (high = letter_value(time.p[0])) < 0 || (low = letter_value(time.p[1])) < 0)
		return ERR_MISTAKE;
	return (today - (high << 5 | low) + TIME_DAYS) % TIME_DAYS <= SRS_DAYS ? OK : ERR_ABSENT;
}

enum err srs_reverse(struct arena *a, struct str key, struct str local, int64_t now_s, struct str *out)
{
	struct str left = unquoted(a, local), hash, host, time = STR_NONE;
	bool first = str_starts_nocase(left, STR("SRS0="));
	struct str hashed;
	enum err e;

	if (!first && !str_starts_nocase(left, STR("SRS1=")))
		return ERR_MISTAKE;
	left = str_cut(left, 5, left.len);
	if (!take_part(&left, &hash))
		return ERR_MISTAKE;
	hashed = left;
	if ((first && !take_part(&left, &time)) || !take_part(&left, &host) || !left.len)
		return ERR_MISTAKE;
	if (!hash_is_right(key, hashed, hash))
		return ERR_DENIED;
	if (first && (e = time_check(time, now_s)))
		return e;
	if (!first)
		left = str_of(arena_printf(a, "SRS0" STR_FMT, STR_ARG(left)));
	return address_make(a, left, host, out) ? ERR_MISTAKE : OK;
}
