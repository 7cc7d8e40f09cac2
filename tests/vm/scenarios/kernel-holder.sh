# H-01: a client ends and a process of its own keeps a copy of the device FD. The kernel shows that it is still bound to
# whoever tries BIND; once the keeper is gone the device can be had again.
# needs: demo
edu=$(find_device 1234:11e8)

expect_status 1 root-claim --user alice "$edu" -- hold-cdev '{fd}'
expect_output_contains "VFIO_DEVICE_BIND_IOMMUFD: Invalid argument (22)"
keeper=$(cat "$RIG/stdout")
expect_equal "the owner of the keeper" 1000 "$(stat -c %u "/proc/$keeper")"
[ -n "$(ls -l "/proc/$keeper/fd" | grep /dev/vfio/devices/)" ] || fail "the keeper keeps nothing"

kill "$keeper"
wait-for-exit 5 "$keeper"
echo "$edu" >"/sys/bus/pci/devices/$edu/driver/unbind"
echo >"/sys/bus/pci/devices/$edu/driver_override"
expect_success root-claim --user alice "$edu" -- edu-dma '{fd}' '{iommufd}' '{ioasid}'
