/* bus.h - a file that is cut short while it is mapped kills nobody who reads it in a helper thread.
 * LevelDB maps its tables. If one of them is cut or its disk cannot read it, a look at what is no longer there raises
 * SIGBUS; then the page becomes one of zeros, whose checksum is wrong: the index is damaged, and is made anew. What the
 * thread of the loop has mapped are views and notes of answers, which have no checksums, and which a worker makes or reads
 * anew when it begins: there it ends, as without this. Mailboxes are never mapped. */
#ifndef CORE_BUS_H
#define CORE_BUS_H

/* From the thread of the loop, once in a process. */
void bus_guard(void);

#endif
