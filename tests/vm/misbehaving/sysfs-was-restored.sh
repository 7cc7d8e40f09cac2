# Runs after the one that left it changed.
# verdict: ok
expect_equal "the driver" e1000 "$(driver_of 0000:01:02.0)"
expect_equal "the override" "(null)" "$(override_of 0000:01:02.0)"
