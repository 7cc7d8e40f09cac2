# A client is killed in the middle of its DMA: its lease ends with it, and everything is put back.
# needs: demo stock stock-6.1
edu=0000:01:01.0
start_daemon - <<'EOP'
{ "rules": [ { "name": "cards", "effect": "allow", "subject": { "user": "alice" },
               "device": { "id": ["1234:11e8"] }, "lockout": "unused", "reset": "try" } ] }
EOP
remember_fd_counts
start_client alice as alice ioasidctl run "$edu" -- \
	edu-dma $(dma_words "$edu") --hold --touch /tmp/held
wait_for_mark alice /tmp/held
kill_client alice
wait_until_free "$edu"
expect_same_fd_counts
stop_daemon
