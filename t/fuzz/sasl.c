/* What SASL reads, of any bytes: a line of base64, SCRAM's messages and names, keys that are kept, names to be prepared.
 * What is taken is of the form it should have, lies in the bytes, and says the same when said again. */
#include "protocols/sasl_scram_message.h"
#include "storage/account/scram.h"
#include "storage/mail/decode.h"
#include "storage/mail/prepare.h"
#include <assert.h>

static bool within(struct str inner, struct str outer)
{
	return !inner.len || (inner.p >= outer.p && inner.p + inner.len <= outer.p + outer.len);
}

static void read_name(struct str name)
{
	struct buf means = { 0 };

	assert(name.len && str_find(name, ',') < 0);
	if (scram_name(name, &means))
		assert(buf_len(&means) <= name.len);
	buf_free(&means);
}

static void read_first(struct str in)
{
	struct buf again = { 0 };
	struct scram_first f;

	if (!scram_first_parse(in, &f))
		return;
	assert(f.flag == 'n' || f.flag == 'y' || (f.flag == 'p' && f.binding.len));
	assert(within(f.header, in) && within(f.bare, in) && within(f.nonce, in) && within(f.name, in));
	assert(f.header.len + f.bare.len == in.len && f.header.p == in.p);
	assert(f.nonce.len && str_find(f.nonce, ',') < 0);
	read_name(f.name);
	if (f.authorize.len)
		read_name(f.authorize);
	buf_printf(&again, STR_FMT "n=" STR_FMT ",r=" STR_FMT, STR_ARG(f.header), STR_ARG(f.name), STR_ARG(f.nonce));
	assert(str_starts(in, buf_str(&again)));
	buf_free(&again);
}

static void read_final(struct str in)
{
	struct scram_final f;

	if (!scram_final_parse(in, &f))
		return;
	assert(within(f.binding, in) && within(f.nonce, in) && within(f.proof, in) && f.binding.len && f.proof.len);
	assert(f.without_proof.p == in.p && f.without_proof.len + f.proof.len + 3 == in.len);
}

static void read_base64(struct str in)
{
	struct buf bytes = { 0 }, again = { 0 };

	if (base64_decode(in, &bytes)) {
		base64_encode(buf_str(&bytes), &again);
		assert(buf_len(&again) == in.len);
	} else {
		assert(!buf_len(&bytes));
	}
	buf_free(&bytes);
	buf_free(&again);
}

static void read_keys(struct str in)
{
	struct scram_keys k;

	if (scram_keys_parse(in, &k))
		assert(k.iterations && k.salt_len && k.salt_len <= sizeof(k.salt));
	else
		assert(!k.iterations && !k.salt_len);
}

/* What is prepared stays so. */
static void read_text(struct str in)
{
	struct arena a = { 0 };
	struct str once, twice;

	if (!prepare(in, &a, &once)) {
		assert(once.len && str_find(once, '\0') < 0);
		if (!prepare(once, &a, &twice))
			assert(str_eq(once, twice));
	}
	arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = { (const char *)data, size };

	if (size > 12288)
		return 0;
	read_first(in);
	read_final(in);
	read_base64(in);
	read_keys(in);
	read_text(in);
	return 0;
}
