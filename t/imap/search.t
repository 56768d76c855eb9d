# search.t: SEARCH finds numbers, UID SEARCH UIDs (RFC 3501, 6.4.4)
C: a LOGIN alice secret
S: a OK *
C\: b APPEND INBOX (\\Deleted) {3+}\r\na:1\r\nc APPEND INBOX (\\Seen work) "10-Jan-2020 23:30:00 +0000" {3+}\r\na:2\r\n
S.. c OK *
C\: b APPEND INBOX (\\Flagged) "11-Jan-2020 00:30:00 +0100" {100+}\r\n
C+ 100 of a:3456789\r\n
C: 
S.. b OK *
C: d SELECT INBOX
S.. d OK *
C: e EXPUNGE
S: * 1 EXPUNGE
S: e OK *
C: f SEARCH ALL
S: * SEARCH 1 2
S: f OK *
C: f UID SEARCH ALL
S: * SEARCH 2 3
S: f OK *
C: f SEARCH UID 3
S: * SEARCH 2
S: f OK *
C: f UID SEARCH 1
S: * SEARCH 2
S: f OK *
C: f SEARCH KEYWORD WORK SEEN RECENT
S: * SEARCH 1
S: f OK *
C: f SEARCH ON 10-Jan-2020
S: * SEARCH 1 2
S: f OK *
C: f SEARCH SINCE 11-Jan-2020
S: * SEARCH
S: f OK *
C: f SEARCH OR (SEEN UNFLAGGED) LARGER 99
S: * SEARCH 1 2
S: f OK *
C: f SEARCH NOT SMALLER 100
S: * SEARCH 2
S: f OK *
C: f SEARCH 1:*
S: * SEARCH 1 2
S: f OK *

# charsets (6.4.4)
C: g SEARCH CHARSET utf-8 SEEN
S: * SEARCH 1
S: g OK *
C: g SEARCH CHARSET "US-ASCII" SEEN
S: * SEARCH 1
S: g OK *
C: g SEARCH CHARSET klingon SEEN
S: g NO [BADCHARSET (*)] *
C: g SEARCH CHARSET utf-8
S: g BAD *

# what is no SEARCH
C: h SEARCH
S: h BAD *
C: h SEARCH SHINY
S: h BAD *
C: h SEARCH OR SEEN
S: h BAD *
C: h SEARCH (SEEN
S: h BAD *
C: h SEARCH KEYWORD
S: h BAD *
C: h SEARCH BEFORE yesterday
S: h BAD *
C: h SEARCH SEEN )
S: h BAD *
