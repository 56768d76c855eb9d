/* answers.h - what other hosts said of recipients, noted at once, so that kill -9 of every process forgets none of it.
 * An answer that was read counts: who was told 250 has the message and must not be sent it again. What becomes of a
 * recipient is durable with the journal, some milliseconds after the answer; until then it stands here.
 *
 *   DIR/queue/<number>/answers    a head, then SLOTS slots: free (zeros), or a note
 *   note: CRC-32C | message: id, arrival, size | the answer: kind, status, words, host | its recipients and their tries
 *
 * Each worker has a file of its own, mapped and shared, and notes an answer by plain stores before it does anything
 * else: no system call, no lane. What was stored is the page cache's, whoever dies. It is never synced and promises
 * nothing after a power cut: it may then hold anything that it ever held. That does no harm:
 *   - a note that is torn, or is not a note, has the wrong checksum;
 *   - ids of messages are never given again, and arrival and size must fit as well;
 *   - who has the message has it for ever; any other note says how often the recipient was tried before, and counts
 *     only if the queue's own files know of no later try.
 * A slot is in use until the journal's entry of what it says is synced, then it is zeros again. When all are in use, or
 * there is no file (it could not be made, it is of a later version), answers are only in the journal: a log line says
 * so.
 *
 * At a start the files of all workers are looked at, since their number may have changed. What is said of a recipient
 * who is still open is given to him before he is scheduled (answers_find). */
#ifndef STORAGE_QUEUE_ANSWERS_H
#define STORAGE_QUEUE_ANSWERS_H

#include "storage/queue/queue.h"

#define ANSWERS_SLOTS  2048 /* answers whose entries are not synced yet */
#define ANSWERS_RANGES 48   /* of recipients in one note; the others are in the next */

struct answers;

/* directory: the store's. slot: of this worker, whose queue/<slot> is there. Never fails: without a file notes are
 * not kept. */
struct answers *answers_open(int directory, unsigned slot);
/* What is noted stays: for the next life, if it is not synced. NULL is fine. */
void answers_free(struct answers *a);

/* items: of one message. Each has its note then, instead of one that it had; or none, if there is no room. */
void answers_note(struct answers *a, struct queue_item *const *items, size_t count, const struct queue_answer *answer);
/* What an earlier life noted of an item that opens is its note from now on. False: nothing. */
bool answers_find(struct answers *a, struct queue_item *item);
/* The item's note. False: it has none. The texts are valid until it is released. */
bool answers_read(const struct answers *a, const struct queue_item *item, struct queue_answer *answer);
/* What it said of one recipient is durable. 0 is fine. */
void answers_release(struct answers *a, uint16_t note);
/* All items are open that there are: what was noted of others is of nobody. */
void answers_all_found(struct answers *a);

#endif
