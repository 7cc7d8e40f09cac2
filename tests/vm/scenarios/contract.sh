# The contract between broker and executor, on a real kernel: the same cases, with the same outcomes and errnos, as the
# simulator is held to by the tests contract-simulator and, on kernels without iommufd, contract-simulator-group. What
# differs is shown; the whole transcript is in transcript.log.
# needs: contract contract-stock
# timeout: 240
expect_success contract --executor "$(executor)" --transcript "$RIG/transcript.log"
expect_output_lacks "not ok"
# Its last case leaves these on VFIO.
to_host 0000:01:01.0
echo >/sys/bus/pci/devices/0000:01:02.0/driver_override
echo 0000:01:02.0 >/sys/bus/pci/drivers_probe
