/* Any bytes as a balancer's header: what is used is there, and a header is the same with or without what follows. */
#include "core/proxy.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct str all = { (const char *)bytes, size };
	struct proxy_header h, again;
	ptrdiff_t used = proxy_parse(all, &h);

	assert(used >= -1 && used <= (ptrdiff_t)size && used <= PROXY_MAX);
	if (used < 0)
		return 0;
	for (size_t len = 0; len < (used ? (size_t)used : size); len++)
		assert(proxy_parse(str_cut(all, 0, len), &again) == 0);
	if (!used) {
		assert(size < PROXY_MAX);
		return 0;
	}
	assert(proxy_parse(str_cut(all, 0, (size_t)used), &again) == used);
	assert(!memcmp(&h.peer, &again.peer, sizeof(h.peer)) && !memcmp(&h.here, &again.here, sizeof(h.here)));
	assert(h.told == (h.peer.ss_family == AF_INET || h.peer.ss_family == AF_INET6) && h.told == again.told);
	return 0;
}
