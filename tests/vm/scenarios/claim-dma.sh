# The main job: an unprivileged user is told what a claim would cost, claims a device through ioasidd, does DMA with it;
# meanwhile the host can't have the sibling back, and afterwards everything is as it was.
# needs: demo
edu=0000:01:01.0
nic=0000:01:02.0

start_daemon - <<'EOP'
{
  "rules": [
    { "name": "alice drives the test card",
      "effect": "allow",
      "subject": { "user": ["alice"] },
      "device": { "id": ["1234:11e8"] },
      "lockout": { "named": ["0000:01:02.0"] },
      "limits": { "memlock": "64M" },
      "reset": "try" }
  ]
}
EOP
remember_fd_counts

step "alice asks what it would cost: the sibling, and nothing is touched"
expect_success as alice ioasidctl plan "$edu"
expect_output_contains "$nic"
expect_output_contains "alice drives the test card"
expect_equal "the driver of $nic" e1000 "$(driver_of "$nic")"

step "she claims it and does DMA; while she holds it the host can't have the sibling back"
start_client alice as alice ioasidctl run "$edu" -- \
	edu-dma "{fd:$edu}" '{iommufd}' '{ioasid}' --hold --touch /tmp/verified
wait_for_mark alice /tmp/verified
expect_equal "the driver of $edu" vfio-pci "$(driver_of "$edu")"
expect_equal "the driver of $nic" none "$(driver_of "$nic")"
expect_status 1 sh -c "echo $nic >/sys/bus/pci/drivers/e1000/bind"
expect_output_contains "No such device"
step "nor when root takes the pin off: then the kernel itself refuses"
pin=$(override_of "$nic")
echo e1000 >"/sys/bus/pci/devices/$nic/driver_override"
expect_status 1 sh -c "echo $nic >/sys/bus/pci/drivers/e1000/bind"
expect_output_contains "Device or resource busy"
echo "$pin" >"/sys/bus/pci/devices/$nic/driver_override"
expect_success as alice ioasidctl list
expect_output_contains "$edu"
end_client alice

step "everything is as it was"
wait_until_free "$edu"
expect_equal "the driver of $edu" none "$(driver_of "$edu")"
expect_equal "the driver of $nic" e1000 "$(driver_of "$nic")"
expect_same_fd_counts
stop_daemon
