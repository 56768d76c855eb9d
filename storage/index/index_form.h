/* index_form.h - the values of the index: what a message and a mailbox's record look like in it. A change of either is
 * a new version of the index (index_shard.c), which is then made anew. */
#ifndef STORAGE_INDEX_INDEX_FORM_H
#define STORAGE_INDEX_INDEX_FORM_H

#include "storage/index/index.h"

void index_pack_message(struct buf *b, const struct message *m);
bool index_unpack_message(struct str value, struct message *m); /* all but its UID; false: damaged */
void index_pack_record(struct buf *b, const struct mailbox_record *r);
bool index_unpack_record(struct str value, struct mailbox_record *r);

#endif
