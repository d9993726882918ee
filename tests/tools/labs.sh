#!/usr/bin/env bash
# All tests on real nodes, on two labs side by side: they wait for nodes most of the time. Arguments go to pytest.
set -uo pipefail
mkdir -p .cache
log=.cache/labs.log

nodes() { # lab, arguments of pytest
  local name=$1
  shift
  tests/tools/lab.sh "$name" "$BIN/pytest" --durations 5 -m "lab and not long" "$@"
}

# What installs nodes, their networks and templates: on a lab of its own, as it takes away what others count on.
roles=(tests/lab/test_{node_role,proxmox_node,proxmox_network,template_role,pbx_template}.py)
# One long day, which makes all its servers itself: here it keeps nobody waiting.
day=(tests/lab/test_operators_day.py)

beside_the_playbooks() {
  local status=0
  nodes engine tests/engine "$@" || status=1
  nodes failover tests/lab/failover "$@" || status=1
  nodes roles "${roles[@]}" "$@" || status=1
  nodes day "${day[@]}" "$@" || status=1
  return $status
}

echo "== the engine contract, failover, the roles and a day run beside the playbooks; what they say comes after them ($log)"
beside_the_playbooks "$@" >"$log" 2>&1 &
beside=$!
# Whoever is interrupted takes both labs down: each does so itself, if it is told.
trap 'kill -INT -- "$beside" 2>/dev/null; pkill -INT -P "$beside" 2>/dev/null; wait "$beside"; exit 130' INT TERM
status=0
nodes playbooks tests/lab --ignore tests/lab/failover "${roles[@]/#/--ignore=}" "${day[@]/#/--ignore=}" "$@" || status=1
wait "$beside" || status=1
cat "$log"
exit $status
