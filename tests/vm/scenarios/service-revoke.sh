# Operators take claims back: the client is asked and has time; who lets go is left in peace. Who does not loses the
# mappings, and his process or his unit is stopped where the rule says so. Where it says nothing, the claim lingers
# until he is gone.
# needs: systemd
# with --all: systemd-stock systemd-backports
# timeout: 420
install_policy <<EOP
{ "rules": [
  { "name": "stop the process", "effect": "allow", "subject": { "user": ["alice"] },
    "device": { "address": ["0000:00:08.0"] }, "limits": { "memlock": "64M" }, "reset": "try",
    "revoke": { "grace": "300ms", "stop": "process" } },
  { "name": "stop the unit", "effect": "allow", "subject": { "user": ["alice"] },
    "device": { "address": ["0000:00:09.0"] }, "limits": { "memlock": "64M" }, "reset": "try",
    "revoke": { "grace": "300ms", "stop": "unit" } },
  { "name": "stop nothing", "effect": "allow", "subject": { "user": ["alice"] },
    "device": { "address": ["0000:00:0a.0", "0000:00:0b.0"] }, "limits": { "memlock": "64M" }, "reset": "try",
    "revoke": { "grace": "300ms" } } ],
  "operators": { "group": ["vmadmin"] } }
EOP
enable_product
allow_dma_faults

revoke() {
	varlink "$1" "{\"method\":\"org.ioasid1.Revoke\",\"parameters\":{\"claim\":\"$2\",\"reason\":\"maintenance\"}}"
}

# Its process is stopped.
start_client process as alice ioasidctl run 0000:00:08.0 -- edu-dma $(dma_words 0000:00:08.0) --hold --touch /tmp/process
wait_for_mark process /tmp/process
claim=$(claim_ids)
revoke alice "$claim" >"$RIG/answer"
grep -q OperatorsOnly "$RIG/answer" || fail "alice revokes: $(cat "$RIG/answer")"
expect_equal "the driver after a refusal" vfio-pci "$(driver_of 0000:00:08.0)"
revoke carol "$claim"
wait_until_free 0000:00:08.0
end_holder process
! wait "$(cat "$RIG/process.pid")" || fail "the process was not stopped"

# Its unit is stopped.
systemd-run --quiet --uid=alice --unit=scenario-driver.service --setenv=PATH="$PATH" /bin/sh -c \
	"sleep 100000 | ioasidctl run 0000:00:09.0 -- edu-dma $(dma_words 0000:00:09.0) --hold"
wait_for_journal 60 'verified' _SYSTEMD_UNIT=scenario-driver.service
claim=$(claim_ids)
revoke carol "$claim"
wait_until_free 0000:00:09.0
wait_for_unit scenario-driver.service inactive

# Nothing is stopped: the claim lingers, and says whom it waits for.
start_client nothing as alice ioasidctl run 0000:00:0a.0 -- edu-dma $(dma_words 0000:00:0a.0) --hold --touch /tmp/nothing
wait_for_mark nothing /tmp/nothing
claim=$(claim_ids)
revoke carol "$claim"
wait_until_lingering
expect_success ioasidctl show "$claim"
expect_output_contains edu-dma
expect_status 4 as alice ioasidctl claim 0000:00:0a.0
end_client nothing
wait_until_free 0000:00:0a.0
disable_product
