/* What of a ClientHello we read ourselves: the name in server_name, lists of numbers. */
#include "core/tls_inside.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct str body = { (const char *)bytes, len };
	struct str name = tls_hello_name(body);

	assert(name.len <= len && (!name.len || (name.p > body.p && name.p + name.len <= body.p + len)));
	for (unsigned len_bytes = 0; len_bytes <= 2; len_bytes++)
		tls_hello_lists(body, len_bytes, 0x0403);
	return 0;
}
