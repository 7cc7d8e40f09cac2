# On a machine of its own, because nothing can run after it.
# timeout: 2
# verdict: not ok
# says: FAIL: it has not ended within 2 s
sleep 1000
