# verdict: not ok
# says: FAIL: the processes above were left behind
sleep 1000 &
