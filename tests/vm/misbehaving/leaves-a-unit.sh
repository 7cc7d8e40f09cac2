# verdict: not ok
# says: FAIL: the units above are not as they were
systemd-run --quiet --unit=scenario-left.service sleep 1000
