# Runs after the one that takes the machine away.
# verdict: not ok
# says: not tried
true
