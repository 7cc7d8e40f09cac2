# What the kernel was told to do without: unsafe interrupts are accepted only by a rule that says so, devices without an
# IOMMU never. Both may be set at any time, and count for the next claim.
# needs: demo stock
edu=0000:00:03.0
start_daemon - <<'EOP'
{ "rules": [ { "name": "cards for bob, come what may", "effect": "allow", "subject": { "user": "bob" },
               "device": { "id": ["1234:11e8"] }, "reset": "try", "unsafe_interrupts": "accept" },
             { "name": "cards", "effect": "allow", "subject": { "user": "alice" },
               "device": { "id": ["1234:11e8"] }, "reset": "try" } ] }
EOP
remember_fd_counts
unsafe=/sys/module/iommufd/parameters/allow_unsafe_interrupts
[ -e "$unsafe" ] || unsafe=/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts
expect_success as alice ioasidctl plan "$edu"
echo Y >"$unsafe"
expect_status 6 as alice ioasidctl claim "$edu"
expect_output_contains allow_unsafe_interrupts
expect_output_contains '"unsafe_interrupts": "accept"'
expect_equal "the driver of $edu" none "$(driver_of "$edu")"
expect_success as bob ioasidctl run "$edu" -- edu-dma $(dma_words "$edu")
wait_until_free "$edu"
echo N >"$unsafe"
expect_success as alice ioasidctl plan "$edu"

unsafe=/sys/module/vfio/parameters/enable_unsafe_noiommu_mode
if [ -e "$unsafe" ]; then
	step "without an IOMMU for nobody"
	echo Y >"$unsafe"
	expect_status 6 as bob ioasidctl claim "$edu"
	expect_output_contains enable_unsafe_noiommu_mode
	echo N >"$unsafe"
fi
expect_same_fd_counts
stop_daemon
