# Removing it and installing it again on a host that runs, by the lines of README.md: nothing is left behind, and what
# is there after that works, with the nodes that were there before.
# needs: systemd-stock
# with --all: systemd
# timeout: 400
edu=0000:00:08.0

# what_is_there: everything on this host that has its name: files, users, units, AppArmor's profiles.
what_is_there() {
	# In /run/udev/links udev keeps a lock for every link there ever was.
	/usr/bin/find / \( -path /rig -o -path /run/rig -o -path /proc -o -path /var/log/journal -o -path /sys/fs/cgroup \
		-o -path /run/udev/links \) -prune -o -iname '*ioasid*' -print || :
	grep -r ioasid /etc/passwd /etc/group /etc/shadow || :
	systemctl list-units --all --plain --no-legend 'ioasid*'
	systemctl list-unit-files --plain --no-legend 'ioasid*' || :
	grep ioasid /sys/kernel/security/apparmor/profiles || :
	journalctl --list-catalog | grep -i ioasid || :
	pgrep -l ioasid || :
}

step "it has been used"
install_policy <<'EOP'
{ "rules": [ { "name": "a card", "effect": "allow", "subject": { "user": "alice" }, "device": { "id": ["1234:11e8"] },
               "reset": "try" } ],
  "reserve": [ { "address": ["0000:00:0f.0"] } ] }
EOP
journalctl --update-catalog
enable_product
use_it() {
	# shellcheck disable=SC2046
	expect_success as alice ioasidctl run "$edu" -- edu-dma $(dma_words "$edu")
	wait_until_free "$edu"
}
expect_success ioasidctl status
use_it
what_is_there >"$RIG/before"
[ "$(grep -c . "$RIG/before")" -gt 30 ] || fail "what is there is not found"

step "removed"
rm /etc/ioasidd/policy.d/50-scenario.json
ioasidctl revoke --all; systemctl disable --now ioasidd.socket ioasidd.service ioasid-executor.socket
systemctl clean --what=all ioasidd.service
apparmor_parser -R /etc/apparmor.d/ioasidd /etc/apparmor.d/ioasid-executor
/rig/uninstall && rm -f /run/udev/rules.d/60-ioasidd-reserve.rules /var/cache/apparmor/*/ioasid*
rm -rf /run/ioasidd-executor
systemctl daemon-reload && systemctl reload dbus && journalctl --update-catalog
udevadm control --reload && udevadm trigger --settle --subsystem-match=misc
userdel ioasidd
what_is_there >"$RIG/after"
cat "$RIG/after"
expect_equal "what is left" 0 "$(grep -c . "$RIG/after" || :)"

step "installed again, the container's node stays as the host has it"
container=$(stat -c '%a %U:%G' /dev/vfio/vfio)
expect_equal "the container without the product" "666 root:root" "$container"
/rig/install
systemd-sysusers ioasidd.conf && systemd-tmpfiles --create ioasidd.conf && journalctl --update-catalog
apparmor_parser -r /etc/apparmor.d/ioasidd /etc/apparmor.d/ioasid-executor
systemctl daemon-reload && systemctl reload dbus
udevadm control --reload && udevadm trigger --subsystem-match=misc
systemctl enable --now ioasidd.socket
udevadm settle
[ ! -c /dev/iommu ] || expect_equal "the mode of /dev/iommu" "600 root:root" "$(stat -c '%a %U:%G' /dev/iommu)"
expect_equal "the container" "$container" "$(stat -c '%a %U:%G' /dev/vfio/vfio)"
expect_success as bob sh -c 'exec 3<>/dev/vfio/vfio'
install_policy <<'EOP'
{ "rules": [ { "name": "a card", "effect": "allow", "subject": { "user": "alice" }, "device": { "id": ["1234:11e8"] },
               "reset": "try" } ] }
EOP
use_it
expect_equal "the profile of the broker" "ioasidd (enforce)" "$(cat "/proc/$(pgrep -x ioasidd)/attr/current")"
expect_equal "what the sandboxes refused" "" "$(violations)"

step "without the profiles it runs as well"
# AppArmor says so when systemd asks for a profile that is not there, and does without it.
allow_violations 'info="label not found"'
apparmor_parser -R /etc/apparmor.d/ioasidd /etc/apparmor.d/ioasid-executor
expect_success systemctl restart ioasidd.service
use_it
expect_equal "the profile of the broker" unconfined "$(cat "/proc/$(pgrep -x ioasidd)/attr/current")"
apparmor_parser -r /etc/apparmor.d/ioasidd /etc/apparmor.d/ioasid-executor
disable_product
