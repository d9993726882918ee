#!/usr/bin/env bash
# What takes long on real nodes, each lot on a lab of its own: a node belongs to one fleet at a time.
set -uo pipefail
status=0
lot() { # lab, tests
  local name=$1
  shift
  echo "== $*"
  tests/tools/lab.sh "$name" "$BIN/pytest" -v -m "lab and long" "$@" || status=1
}
lot replication tests/lab/test_replication.py
lot byhand tests/lab/failover/test_by_hand.py
lot cluster tests/lab/test_cluster.py tests/lab/test_quorum_device.py
lot agent tests/lab/failover/test_resource_agent.py
lot disasters tests/lab/failover --ignore tests/lab/failover/test_by_hand.py --ignore tests/lab/failover/test_resource_agent.py
lot roles tests/lab --ignore tests/lab/failover --ignore tests/lab/test_replication.py --ignore tests/lab/test_cluster.py --ignore tests/lab/test_quorum_device.py
exit $status
