# verdict: not ok
# says: FAIL: the product is not installed as it was
/rig/uninstall
