# guesses.t: a password that is wrong is wrong (RFC 5530, 3)
options --set "limits.exempt {}" --set "limits.failed_logins 3" --set "limits.login_time 2m" --set "imap.login_timeout 1h"
C: a LOGIN alice first
S: a NO [AUTHENTICATIONFAILED] *
C: b AUTHENTICATE PLAIN AGFsaWNlAHNlY29uZA==
S: b NO [AUTHENTICATIONFAILED] *
C: c LOGIN ALICE third
S: c NO [AUTHENTICATIONFAILED] *

# after too many nobody learns whether one is right, by no mechanism and on no connection
C: d LOGIN alice fourth
S: d NO [UNAVAILABLE] *
C: e LOGIN alice secret
S: e NO [UNAVAILABLE] *
C2: a AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==
S2: a NO [UNAVAILABLE] *

# another account is not concerned
C: f LOGIN bob secret
S: f OK *

# and after a while they are forgotten
clock +21m
C3: a LOGIN alice secret
S3: a OK *

# the time to log in is over, whatever one does meanwhile (RFC 3501, 5.4)
C4: a NOOP
S4: a OK *
clock +70s
C4: b NOOP
S4: b OK *
clock +51s
S4: * BYE *
S4: <close>
