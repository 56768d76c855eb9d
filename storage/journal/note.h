/* note.h - which entry is being replayed: the file journal/<slot>/replaying.
 * Written before each entry, never synced: it is to outlive the process, not the machine. A process that dies in
 * replay leaves behind what it was at; an entry at which NOTE_DEATHS processes died is not tried again. */
#ifndef STORAGE_JOURNAL_NOTE_H
#define STORAGE_JOURNAL_NOTE_H

#include "core/str.h"

#define NOTE_DEATHS 2
#define NOTE_NAME   "replaying"

struct note {
	int fd; /* -1: none could be made, which is logged */
	uint64_t life;
	uint64_t current; /* the entry being applied, counted from 1; 0: none */
	uint64_t suspect; /* where the last one died; 0: nowhere */
	uint64_t deaths;  /* at the suspect, one after the other */
};

/* What an earlier life of the journal left is not read. */
void note_open(struct note *n, int dir, uint64_t life);
bool note_kills(const struct note *n, uint64_t sequence); /* it has killed NOTE_DEATHS replays */
void note_begin(struct note *n, uint64_t sequence);
void note_end(struct note *n); /* no entry is being applied; the file stays until the journal's next life */

#endif
