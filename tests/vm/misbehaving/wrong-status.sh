# verdict: not ok
# says: FAIL: status 4 instead of 3
expect_status 3 sh -c 'exit 4'
