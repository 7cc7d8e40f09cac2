# verdict: not ok
# says: FAIL: drivers or driver_overrides are not what they were
echo elsewhere >/sys/bus/pci/devices/0000:01:02.0/driver_override
echo 0000:01:02.0 >/sys/bus/pci/devices/0000:01:02.0/driver/unbind
