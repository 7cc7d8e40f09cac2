# verdict: not ok
# says: FAIL: no device dead:beef with index 0
device=$(find_device dead:beef)
echo "$device"
