# A Debian with systemd as process 1 comes up with the product installed, nothing of it enabled or running, and nothing
# wrong with it that systemd knows of.
# needs: systemd systemd-stock
# with --all: systemd-backports
expect_equal "process 1" systemd "$(cat /proc/1/comm)"
expect_success systemctl is-system-running
expect_equal "the state of the socket" "disabled inactive" \
	"$(systemctl is-enabled ioasidd.socket) $(systemctl is-active ioasidd.socket)"
expect_equal "what runs of the product" "" "$(product_processes)"
for unit in /usr/lib/systemd/system/ioasid*; do
	[ -d "$unit" ] || expect_success systemd-analyze verify --man=no "$unit"
	expect_output_lacks ioasid
done
systemd-analyze time
