/* apply.h - doing to the files what an entry of the journal says: after its sync, and again in replay.
 * Runs in the files lane (or in the recovering process), touches nothing but files. Keeps a bounded number of files
 * open. Every operation done twice is the same as done once. */
#ifndef STORAGE_APPLY_H
#define STORAGE_APPLY_H

#include "core/err.h"
#include "core/str.h"

struct files;

struct files *files_new(int directory);
void files_free(struct files *f);
enum err apply_operations(struct files *f, struct str operations); /* as packed in the journal */

#endif
