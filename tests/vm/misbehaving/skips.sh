# verdict: ok
# says: SKIP for a reason
skip "for a reason"
