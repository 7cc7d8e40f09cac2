# ioasidctl audit, under the service's sandboxes: what came from claims is known as theirs by the contexts that the
# broker keeps, in whatever process it is; who went round ioasidd is named, with the unit; so is a node that is open to
# others. A claim's own nodes are none of these.
# needs: systemd
# with --all: systemd-stock
# timeout: 240
attached=0000:00:08.0
node=0000:00:09.0
foreign=0000:00:0a.0
install_policy <<'EOP2'
{ "rules": [ { "name": "cards", "effect": "allow", "subject": { "user": "alice" }, "device": { "id": ["1234:11e8"] },
               "modes": ["attached", "node"], "limits": { "memlock": "64M" }, "reset": "try" } ],
  "operators": { "group": ["vmadmin"] } }
EOP2
enable_product
expect_success ioasidctl status
udevadm trigger --subsystem-match=misc --settle

step "nothing is claimed, and nothing is found"
expect_success as carol ioasidctl audit
expect_output_contains "no device is held outside ioasidd"
as alice ioasidctl audit >"$RIG/refused" 2>&1 && fail "alice makes an audit"
cat "$RIG/refused"

step "two claims, by descriptors and by nodes"
# shellcheck disable=SC2046
start_client attached as alice ioasidctl run "$attached" -- edu-dma $(dma_words "$attached") --hold --touch /tmp/attached
start_client node as alice ioasidctl run --mode node "$node" -- \
	sh -c 'exec open-nodes /dev/vfio/vfio /dev/vfio/'"$(group_of "$node")"' --touch /tmp/node'
wait_for_mark attached /tmp/attached
wait_for_mark node /tmp/node
expect_success as carol ioasidctl audit
expect_success as carol ioasidctl audit --all
expect_output_contains "edu-dma["
expect_output_contains "open-nodes["
expect_output_contains "granted by a claim"
expect_output_lacks foreign
expect_output_lacks unknown
# The broker's copy, and the service manager's, are the service's.
expect_output_contains "ioasidd["
expect_output_contains "systemd[1]"

step "root goes round it, in a unit of its own"
modprobe -q vfio-pci || :
to_vfio "$foreign"
systemd-run --quiet --unit scenario-foreign.service sh -c \
	"exec 3<>/dev/vfio/$(group_of "$foreign"); touch /tmp/foreign; exec sleep 1000"
wait-for-path 20 /tmp/foreign
expect_status 1 as carol ioasidctl audit
cp "$RIG/stdout" "$RIG/audit.txt"
expect_output_contains "foreign"
expect_output_contains "sleep[$(property_of scenario-foreign.service MainPID)]"
expect_output_contains "in scenario-foreign.service"
expect_output_contains "1 finding"
expect_output_lacks "edu-dma"
expect_output_lacks "open-nodes"
expect_status 4 as alice ioasidctl plan "$foreign"
expect_output_contains "held by a process that did not get it from ioasidd"
systemctl stop scenario-foreign.service

step "a node that somebody opened to others"
chmod 0666 "/dev/vfio/$(group_of "$foreign")"
expect_status 1 as carol ioasidctl audit
expect_output_contains "/dev/vfio/$(group_of "$foreign")"
expect_output_contains 0666
chmod 0600 "/dev/vfio/$(group_of "$foreign")"
expect_success as carol ioasidctl audit
to_host "$foreign"

# Debian's kernels have no simulator of vDPA devices.
if [ "$(kernel_kind)" = iommufd ]; then
	step "somebody has a vDPA device, of which udev knows nothing"
	make-vdpa audited vdpasim_net
	vdpa=/sys/bus/vdpa/devices/audited
	[ "$(basename "$(readlink "$vdpa/driver")")" = vhost_vdpa ] || fail "audited is on another driver: $(ls -l "$vdpa")"
	node_of_vdpa=$(basename "$vdpa"/vhost-vdpa-*)
	systemd-run --quiet --unit scenario-vdpa.service sh -c "exec 3<>/dev/$node_of_vdpa; touch /tmp/vdpa; exec sleep 1000"
	wait-for-path 20 /tmp/vdpa
	expect_status 1 as carol ioasidctl audit
	expect_output_contains "$node_of_vdpa"
	expect_output_contains "in scenario-vdpa.service"
	expect_output_contains "1 finding"
	systemctl stop scenario-vdpa.service
	make-vdpa --delete audited
	expect_success as carol ioasidctl audit
fi

step "after a restart the contexts are known still"
expect_success systemctl restart ioasidd.service
expect_success as carol ioasidctl audit
expect_success as carol ioasidctl audit --all
expect_output_contains "edu-dma["
end_client attached
end_client node
wait_until_free "$attached" "$node"
expect_success as carol ioasidctl audit
expect_equal "what the sandboxes refused" "" "$(violations)"
disable_product
