# verdict: not ok
# says: Kernel panic - not syncing
echo 1 >/proc/sys/kernel/unknown_nmi_panic
host nmi
