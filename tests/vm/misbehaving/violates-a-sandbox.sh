# verdict: not ok
# says: FAIL: a process did what its sandbox does not allow
systemd-run --quiet --wait --collect --property SystemCallFilter=~sethostname hostname another || :
