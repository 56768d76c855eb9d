/* aliases.h - the aliases(5) files of the configuration in one worker: read at its start, and again when they changed.
 * They are looked at when somebody asks for a name and the last look is a few seconds ago, in a lane: the answer is as of
 * the files read before. A file that can be read no more stays as it was. */
#ifndef STORAGE_ROUTE_ALIASES_H
#define STORAGE_ROUTE_ALIASES_H

#include "core/settings.h"
#include "core/worker.h"
#include "storage/route/alias_file.h"

#define ALIASES_LOOK_MS       3000
#define ALIASES_LOOK_AGAIN_MS 60000 /* at a file that could not be read */

/* The house's hooks. A start reads, so it blocks; a file that cannot be read is logged and keeps nothing from starting. */
void aliases_start(struct worker *w);
void aliases_reload(struct worker *w);
void aliases_stop(struct worker *w);

/* What `local` (without domain, quoted or not, in any case) stands for by the first of the files that has it. OK;
 * ERR_ABSENT: by none; ERR_AGAIN: by none, but one of them was never read. Valid until the caller returns to the loop. */
enum err aliases_find(struct worker *w, const struct setting_list *files, struct str local, const struct alias **alias);

#endif
