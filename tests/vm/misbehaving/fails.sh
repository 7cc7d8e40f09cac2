# verdict: not ok
# says: FAIL: because it wants to
fail "because it wants to"
