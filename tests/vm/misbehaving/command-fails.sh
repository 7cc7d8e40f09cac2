# A command that nobody asked about, in the middle.
# verdict: not ok
# says: the scenario ended with status 1
false
echo "never reached"
