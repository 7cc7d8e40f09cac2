# verdict: not ok
# says: FAIL: the executor's ledger still has the claim 0123456789abcdef0123456789abcdef.json
mkdir -p /run/ioasidd-executor/claims
touch /run/ioasidd-executor/claims/0123456789abcdef0123456789abcdef.json
