# verdict: not ok
# says: FAIL: a sanitizer complained
echo "==1==ERROR: AddressSanitizer: made up" >"$RIG/program.log"
