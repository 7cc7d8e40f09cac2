# From `systemctl enable --now` to `disable --now`: the first client starts the service, on a host where no module of
# VFIO is loaded before; a claim with DMA; it outlives a restart and a stop; at the end nothing is left.
# needs: systemd
# with --all: systemd-stock systemd-backports
edu=0000:00:08.0
install_policy <<'EOP'
{ "rules": [ { "name": "alice drives the card", "effect": "allow", "subject": { "user": ["alice"] },
               "device": { "id": ["1234:11e8"] }, "limits": { "memlock": "64M" }, "reset": "try" } ] }
EOP
expect_equal "the product's processes" "" "$(product_processes)"
[ "$(kernel_kind)" = iommufd ] || [ ! -d /sys/module/vfio ] || fail "VFIO was loaded before"

# start_alice: her claim, with DMA; she holds it until her stdin ends.
start_alice() {
	rm -f /tmp/verified
	start_client alice as alice ioasidctl run "$edu" -- edu-dma $(dma_words "$edu") --hold --touch /tmp/verified
	wait_for_mark alice /tmp/verified
	expect_equal "the driver of $edu" vfio-pci "$(driver_of "$edu")"
}

step "nothing runs until somebody asks"
enable_product
expect_equal "the state of the service" inactive "$(state_of ioasidd.service)"
expect_equal "the product's processes" "" "$(product_processes)"
expect_success as nobody ioasidctl list
wait_for_unit ioasidd.service active

step "alice's claim"
start_alice
end_client alice
wait_until_free "$edu"

step "a claim goes on while the service is restarted"
start_alice
old=$(property_of ioasidd.service MainPID)
systemctl restart ioasidd.service
[ "$old" != "$(property_of ioasidd.service MainPID)" ] || fail "the service has not been restarted"
expect_success ioasidctl show "$edu"
expect_output_contains held
end_client alice
wait_until_free "$edu"

step "and while it is stopped; the next client starts it again"
start_alice
systemctl stop ioasidd.service
expect_equal "the driver of $edu" vfio-pci "$(driver_of "$edu")"
[ -d "/proc/$client/fd" ] || fail "alice has not outlived the service's stop"
expect_success ioasidctl show "$edu"
end_client alice
wait_until_free "$edu"

step "at the end nothing is left"
disable_product
expect_equal "the driver of $edu" none "$(driver_of "$edu")"
