/* err.c - see err.h. */
#include "core/err.h"
#include "core/log.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *err_text(enum err e)
{
	static const char *const texts[ERR_KINDS] = {
		[OK] = "done",
		[ERR_AGAIN] = "not now",
		[ERR_NEVER] = "cannot be done",
		[ERR_MISTAKE] = "asked wrongly",
		[ERR_ABSENT] = "not there",
		[ERR_EXISTS] = "there already",
		[ERR_DENIED] = "not permitted",
		[ERR_TOO_BIG] = "over a limit",
		[ERR_FULL] = "over quota",
		[ERR_IN_USE] = "locked by another program",
	};

	return (unsigned)e < ERR_KINDS ? texts[e] : "unknown";
}

enum err err_of_errno(int number)
{
	switch (number) {
	case 0:
		return OK;
	case ENOENT:
	case ENOTDIR:
		return ERR_ABSENT;
	case EEXIST:
	case ENOTEMPTY:
		return ERR_EXISTS;
	case EACCES:
	case EPERM:
		return ERR_DENIED;
	case ENAMETOOLONG:
	case EFBIG:
		return ERR_TOO_BIG;
	default:
		return ERR_AGAIN;
	}
}

enum err err_errno(const char *fmt, ...)
{
	int number = errno;
	char what[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	log_error("core", NULL, "%s error=\"%s\"", what, strerror(number));
	return number ? err_of_errno(number) : ERR_AGAIN;
}
