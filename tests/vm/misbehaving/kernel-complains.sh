# verdict: not ok
# says: FAIL: the kernel complained
echo "WARNING: made up" >/dev/kmsg
