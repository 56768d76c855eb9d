# lang.t: the server speaks English, and German to those who wish it (RFC 6856, 3)
options --workers 1
C: CAPA
S.. LANG
S.. .
C: LANG
S: +OK *
S: en English
S: de Deutsch
S: .
C: NONSENSE
S: -ERR unknown command
C: LANG de
S: +OK de von nun an in dieser Sprache
C: NONSENSE
S: -ERR unbekannter Befehl
C: STAT
S: -ERR erst anmelden
C: LANG
S: +OK Sprachen
S: en English
S: de Deutsch
S: .

# a language that is not spoken changes nothing
C: LANG fr
S: -ERR de diese Sprache sprechen wir nicht
C: LANG d
S: -ERR de *
C: LANG deutsch
S: -ERR de *

# response codes are the same in each, and what is no words of ours
C\: USER alice\r\nPASS wrong\r\nUSER alice\r\nPASS secret\r\n
S: +OK und das Passwort?
S: -ERR [AUTH] falscher Name oder falsches Passwort
S: +OK *
S: +OK 0 Nachrichten, 0 Oktette
C: STAT
S: +OK 0 0
C: RETR 1
S: -ERR diese Nachricht gibt es nicht, nur 0

# a tag may say more than we know, and * is our own choice
C: LANG en-GB
S: +OK en *
C: RETR 1
S: -ERR there is no such message, only 0
C: LANG DE-at-1996
S: +OK de *
C: LANG *
S: +OK en *
C: LANG i-default
S: +OK en *
