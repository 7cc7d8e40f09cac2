# verdict: not ok
# says: FAIL: something happened that the product takes for impossible
echo "ioasidd: internal error: made up" >"$RIG/program.log"
