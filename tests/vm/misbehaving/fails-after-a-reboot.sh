# verdict: not ok
# says: FAIL: it kept this
case $boot in
1) echo "it kept this" >"$KEEP/words"; reboot_guest ;;
2) fail "$(cat "$KEEP/words")" ;;
esac
