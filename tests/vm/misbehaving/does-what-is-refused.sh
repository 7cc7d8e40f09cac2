# verdict: not ok
# says: FAIL: a process did what its sandbox does not allow
refused-call
