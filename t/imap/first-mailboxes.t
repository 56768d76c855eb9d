# first-mailboxes.t: each account is given mailboxes, and subscribed to them, once (RFC 6154, 2)
options --set 'store.new_mailboxes {"Drafts", "Sent Items", "inbox"}' --set 'store.special_use {"Drafts=drafts", "Sent=sent", "Sent Items=sent"}'
C: a LOGIN alice secret
S: a OK *
C: b LIST "" *
S: * LIST (\HasNoChildren \Drafts) "/" "Drafts"
S: * LIST (\HasNoChildren) "/" "INBOX"
S: * LIST (\HasNoChildren \Sent) "/" "Sent Items"
S: b OK *
C: b LSUB "" *
S: * LSUB (\HasNoChildren) "/" "Drafts"
S: * LSUB (\HasNoChildren) "/" "INBOX"
S: * LSUB (\HasNoChildren) "/" "Sent Items"
S: b OK *

# one that is deleted stays so
C: c DELETE Drafts
S: c OK *
C: c UNSUBSCRIBE Drafts
S: c OK *
restart
C: a LOGIN alice secret
S: a OK *
C: b LIST "" *s
S: * LIST (\HasNoChildren \Sent) "/" "Sent Items"
S: b OK *
C: b LSUB "" D*
S: b OK *

# mail makes them too, and whoever makes one of another name
C2: a LOGIN bob secret
S2: a OK *
C2\: b APPEND INBOX {3+}\r\na:b\r\n
S2: b OK *
C2\: c APPEND "Sent Items" {3+}\r\na:b\r\n
S2: c OK *
C3: a LOGIN test0000 secret
S3: a OK *
C3: b CREATE Sent
S3: b OK *
C3: b CREATE Drafts
S3: b NO [ALREADYEXISTS] *
C3: b LIST "" S*
S3: * LIST (\HasNoChildren \Sent) "/" "Sent"
S3: * LIST (\HasNoChildren) "/" "Sent Items"
S3: b OK *
