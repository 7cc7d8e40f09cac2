# verdict: not ok
# says: +scenario-failed.service failed
systemd-run --quiet --unit=scenario-failed.service --wait false || :
