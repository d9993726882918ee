#!/usr/bin/env bash
# Bring up a lab named $1, run the command that follows on it, and take the lab down again, whatever became of it.
set -euo pipefail
export SWITCHYARD_LAB=$1
shift
playbook="$BIN/ansible-playbook -i inventories/lab switchyard.fleet.lab"

down() {
  echo "== the lab $SWITCHYARD_LAB, down"
  local log=.cache/lab-$SWITCHYARD_LAB-down.log
  $playbook -e lab_state=absent -e lab_keep_image=true >"$log" || { cat "$log"; return 1; }
}
mkdir -p .cache
# Of labs that come up side by side one after the other brings what both need: packages, and the nodes' image.
exec 9>.cache/lab-up.lock
flock 9
# The contract suite makes its own images, of one program; a phone that registers is sipp.
lacking=()
command -v busybox >/dev/null || lacking+=(busybox-static)
command -v sipp >/dev/null || lacking+=(sip-tester)
if ((${#lacking[@]})); then
  echo "== ${lacking[*]}, from this machine's apt"
  # A fresh machine has no lists yet.
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${lacking[@]}" >/dev/null
fi
trap down EXIT
echo "== the lab $SWITCHYARD_LAB, up"
log=.cache/lab-$SWITCHYARD_LAB-up.log
$playbook >"$log" 9>&- || { cat "$log"; exit 1; }
exec 9>&-
"$@"
