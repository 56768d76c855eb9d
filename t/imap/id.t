# id.t: what ID tells is the administrator's to say (RFC 2971, 3.2)
options --set 'imap.id {"name=Mail \"here\"", "support-url=mailto:postmaster@example.test"}'
C: a ID NIL
S: * ID ("name" "Mail \"here\"" "support-url" "mailto:postmaster@example.test")
S: a OK *
