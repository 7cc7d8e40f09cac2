# verdict: ok
expect_status 3 sh -c 'exit 3'
