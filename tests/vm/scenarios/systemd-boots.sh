# A Debian with systemd as process 1 comes up with the product installed and nothing of it enabled or running; the first
# client of the enabled socket starts the rest.
# needs: systemd systemd-stock
expect_equal "process 1" systemd "$(cat /proc/1/comm)"
expect_equal "what runs of the product" "" "$(product_processes)"
expect_success systemctl is-system-running
systemd-analyze time
systemd-analyze blame | head -n 12
