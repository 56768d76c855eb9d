/* bus.c - see bus.h. What runs in the handler is nothing but system calls. */
#include "core/bus.h"
#include "core/err.h"
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE_BYTES 4096

static long loop_thread;

static void on_bus(int number, siginfo_t *info, void *context)
{
	void *page = (void *)((uintptr_t)info->si_addr & ~(uintptr_t)(PAGE_BYTES - 1));

	(void)context;
	if (info->si_code != BUS_ADRERR || syscall(SYS_gettid) == loop_thread ||
		mmap(page, PAGE_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != page)
		signal(number, SIG_DFL); /* what raised it does so again */
}

void bus_guard(void)
{
	struct sigaction action = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO };

	loop_thread = syscall(SYS_gettid);
	sigemptyset(&action.sa_mask);
	if (sigaction(SIGBUS, &action, NULL) < 0)
		err_errno("catch SIGBUS");
}
