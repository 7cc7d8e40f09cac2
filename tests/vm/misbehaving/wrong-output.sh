# verdict: not ok
# says: FAIL: the output does not contain 'pear'
expect_success echo apple
expect_output_contains pear
