# The end of a pipeline decides its status, and a fail before it must not get lost.
# verdict: not ok
# says: FAIL: in front
fail "in front" | cat
