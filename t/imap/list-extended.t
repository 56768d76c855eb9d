# list-extended.t: LIST with options (RFC 5258, 3 and 5): the mailboxes of its examples
options --set "imap.errors_max 100"
C: a LOGIN alice secret
S: a OK *
C: b CREATE Fruit/Apple
S: b OK *
C: b CREATE Fruit/Banana
S: b OK *
C: b CREATE Fruit
S: b OK *
C: b CREATE Tofu
S: b OK *
C: b CREATE Vegetable/Broccoli
S: b OK *
C: b CREATE Vegetable/Corn
S: b OK *
C: b CREATE Vegetable
S: b OK *
C\: b SUBSCRIBE Fruit/Banana\r\nc SUBSCRIBE Fruit/Peach\r\nd SUBSCRIBE Vegetable\r\ne SUBSCRIBE Vegetable/Broccoli\r\nf SUBSCRIBE INBOX\r\n
S.. f OK *

# names subscribed to, also those without a mailbox
C: c LIST (SUBSCRIBED) "" "*"
S: * LIST (\HasNoChildren \Subscribed) "/" "Fruit/Banana"
S: * LIST (\NonExistent \HasNoChildren \Subscribed) "/" "Fruit/Peach"
S: * LIST (\HasNoChildren \Subscribed) "/" "INBOX"
S: * LIST (\HasChildren \Subscribed) "/" "Vegetable"
S: * LIST (\HasNoChildren \Subscribed) "/" "Vegetable/Broccoli"
S: c OK *
C: c LIST () "" "%" RETURN (CHILDREN)
S: * LIST (\HasChildren) "/" "Fruit"
S: * LIST (\HasNoChildren) "/" "INBOX"
S: * LIST (\HasNoChildren) "/" "Tofu"
S: * LIST (\HasChildren) "/" "Vegetable"
S: c OK *
C: c LIST (REMOTE) "" "%" RETURN (SUBSCRIBED)
S: * LIST (\HasChildren) "/" "Fruit"
S: * LIST (\HasNoChildren \Subscribed) "/" "INBOX"
S: * LIST (\HasNoChildren) "/" "Tofu"
S: * LIST (\HasChildren \Subscribed) "/" "Vegetable"
S: c OK *

# several patterns: each name once
C: d LIST "" ("INBOX" "%o%" Vegetable/% "T*")
S: * LIST (\HasNoChildren) "/" "INBOX"
S: * LIST (\HasNoChildren) "/" "Tofu"
S: * LIST (\HasNoChildren) "/" "Vegetable/Broccoli"
S: * LIST (\HasNoChildren) "/" "Vegetable/Corn"
S: d OK *
C: d LIST Vegetable/ (B* C*)
S: * LIST (\HasNoChildren) "/" "Vegetable/Broccoli"
S: * LIST (\HasNoChildren) "/" "Vegetable/Corn"
S: d OK *
C: d LIST () "" ""
S: d OK *

# RECURSIVEMATCH: what is above names that are wanted, and itself is not (3.5)
C: e LIST (SUBSCRIBED RECURSIVEMATCH) "" %
S: * LIST (\HasChildren) "/" "Fruit" ("CHILDINFO" ("SUBSCRIBED"))
S: * LIST (\HasNoChildren \Subscribed) "/" "INBOX"
S: * LIST (\HasChildren \Subscribed) "/" "Vegetable" ("CHILDINFO" ("SUBSCRIBED"))
S: e OK *
C: e LIST (RECURSIVEMATCH SUBSCRIBED) "" "*"
S: * LIST (\HasNoChildren \Subscribed) "/" "Fruit/Banana"
S: * LIST (\NonExistent \HasNoChildren \Subscribed) "/" "Fruit/Peach"
S: * LIST (\HasNoChildren \Subscribed) "/" "INBOX"
S: * LIST (\HasChildren \Subscribed) "/" "Vegetable" ("CHILDINFO" ("SUBSCRIBED"))
S: * LIST (\HasNoChildren \Subscribed) "/" "Vegetable/Broccoli"
S: e OK *
C: e DELETE Fruit
S: e OK *
C: e LIST (SUBSCRIBED RECURSIVEMATCH) "" F%
S: * LIST (\NonExistent \HasChildren) "/" "Fruit" ("CHILDINFO" ("SUBSCRIBED"))
S: e OK *
C: e LIST (SUBSCRIBED SPECIAL-USE) "" *
S: e OK *
C: e LIST (SUBSCRIBED SPECIAL-USE REMOTE RECURSIVEMATCH) "" *
S: e OK *

# what is no such LIST; RECURSIVEMATCH says how and not what
C: f LIST (RECURSIVEMATCH) "" %
S: f BAD *
C: f LIST (RECURSIVEMATCH REMOTE) "" %
S: f BAD *
C: f LIST (COLOURED) "" %
S: f BAD *
C: f LIST (SUBSCRIBED "" %
S: f BAD *
C: f LIST (SUBSCRIBED)"" %
S: f BAD *
C: f LIST (SUBSCRIBED  REMOTE) "" %
S: f BAD *
C: f LIST "" ()
S: f BAD *
C: f LIST "" (a
S: f BAD *
C: f LIST "" (a b) RETURN
S: f BAD *
C: f LIST "" (a b) RETURN (COLOUR)
S: f BAD *
C: f LIST "" (a b) RETURN (CHILDREN
S: f BAD *
C: f LIST "" (a b) RETURN ()
S: f OK *
C: f LIST "" a RETURN (STATUS)
S: f BAD *
C: f LIST "" a RETURN (STATUS ())
S: f BAD *
C: f LIST "" a RETURN (STATUS (SHOES))
S: f BAD *

# at most 16 patterns
C: g LIST "" (1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 INBOX)
S: * LIST * "INBOX"
S: g OK *
C: g LIST "" (1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 INBOX)
S: g BAD *
C\: g LIST "" (INBOX {1023+}\r\n
C+ 1023 of a
C: )
S: * LIST * "INBOX"
S: g OK *
C\: g LIST "" (INBOX INB {1023+}\r\n
C+ 1023 of a
C: )
S: g NO [CANNOT] *

# RETURN (STATUS): behind each mailbox, not behind a level (RFC 5819, 2)
C\: h APPEND INBOX {3+}\r\na:b\r\n
S: h OK *
C: h LIST "" % RETURN (STATUS (MESSAGES UNSEEN) CHILDREN)
S: * LIST (\NonExistent \HasChildren) "/" "Fruit"
S: * LIST (\HasNoChildren) "/" "INBOX"
S: * STATUS "INBOX" (MESSAGES 1 UNSEEN 1)
S: * LIST (\HasNoChildren) "/" "Tofu"
S: * STATUS "Tofu" (MESSAGES 0 UNSEEN 0)
S: * LIST (\HasChildren) "/" "Vegetable"
S: * STATUS "Vegetable" (MESSAGES 0 UNSEEN 0)
S: h OK *
C: h LIST (SUBSCRIBED RECURSIVEMATCH) "" % RETURN (STATUS (UIDNEXT))
S: * LIST (\NonExistent \HasChildren) "/" "Fruit" ("CHILDINFO" ("SUBSCRIBED"))
S: * LIST (\HasNoChildren \Subscribed) "/" "INBOX"
S: * STATUS "INBOX" (UIDNEXT 2)
S: * LIST (\HasChildren \Subscribed) "/" "Vegetable" ("CHILDINFO" ("SUBSCRIBED"))
S: * STATUS "Vegetable" (UIDNEXT 1)
S: h OK *
C\: i LIST "" T% RETURN (STATUS (MESSAGES))\r\nj DELETE Tofu\r\nk LIST "" T% RETURN (STATUS (MESSAGES))\r\n
S: * LIST * "Tofu"
S: * STATUS "Tofu" *
S: i OK *
S: j OK *
S: k OK *
