# verdict: not ok
# says: FAIL: a device did DMA where it had no mapping
echo "DMAR: [DMA Read NO_PASID] Request device [00:03.0] fault addr 0x0 [fault reason 0x06] made up" >/dev/kmsg
