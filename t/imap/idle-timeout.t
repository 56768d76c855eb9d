# idle-timeout.t: a silent client is told why it is dropped (RFC 3501, 5.4)
C: a LOGIN alice secret
S: a OK *
clock +1801s
S: * BYE *idle*
S: <close>

# one that has not logged in gets less time
server imaps
S2: * OK *
clock +61s
S2: * BYE *
S2: <close>
