/* The configuration file: any bytes are refused or give a snapshot, and the dump of that gives the same once more.
 * Includes are left out, since they would read whatever file the bytes name. */
#include "conf/conf.h"
#include "t/conf_house.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* libconfuse forgets the arguments of a call that is not closed. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfuse";
}

static void dump(struct conf *c, struct buf *out)
{
	conf_dump(c, CONF_WHOLE, out);
	conf_unref(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct str text = { (const char *)bytes, len };
	struct buf why = { 0 }, first = { 0 }, second = { 0 };
	struct conf *c;

	if (memmem(bytes, len, "include", 7))
		return 0;
	c = conf_parse(text, "fuzz", &why);
	if (!c != (buf_len(&why) > 0))
		abort();
	if (c) {
		dump(c, &first);
		c = conf_parse(buf_str(&first), "dump", &why);
		if (!c)
			abort();
		dump(c, &second);
		if (!str_eq(buf_str(&first), buf_str(&second)))
			abort();
	}
	buf_free(&why);
	buf_free(&first);
	buf_free(&second);
	return 0;
}
