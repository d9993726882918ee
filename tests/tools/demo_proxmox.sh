#!/usr/bin/env bash
# The demo without any hardware: a simulation of a Proxmox VE cluster's API in the background, and the fleet of
# inventories/proxmox on it. `demo_proxmox.sh down` ends it. Wants no root.
set -euo pipefail
folder=.cache/proxmox
nodes=5

stop() {
  [[ -f $folder/pid ]] || return 0
  # Only what was started here: the number may be somebody else's by now.
  local pid
  pid=$(<$folder/pid)
  if grep -qsz double "/proc/$pid/cmdline"; then
    kill "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
  fi
  rm -rf "$folder"
}

if [[ ${1:-up} == down ]]; then
  stop
  echo "The simulated cluster is gone, with everything on it."
  exit
fi

began=$SECONDS
playbook="$BIN/ansible-playbook -i inventories/proxmox -i $folder/inventory"
stop
mkdir -p $folder/inventory
echo "== 1/3 a simulated Proxmox VE cluster of $nodes nodes. It answers as the API of Proxmox VE does, a hundred times"
echo "       as fast, and forgets everything when it ends. No container runs anywhere: this is not the real thing."
PYTHONPATH=tests nohup "$BIN/python" -m double --nodes $nodes --port 0 --latency 0.01 --json \
  >$folder/about.json 2>$folder/log </dev/null &
echo $! >$folder/pid
until [[ -s $folder/about.json ]]; do
  kill -0 "$(<$folder/pid)" 2>/dev/null || { cat $folder/log; exit 1; }
  sleep 0.1
done
"$BIN/python" tests/support/simulation.py $folder/inventory <$folder/about.json

echo "== 2/3 the site: 304 servers placed, created, replicated and started (playbooks/site.yml)"
$playbook switchyard.fleet.site

echo "== 3/3 maintenance: pve2 empty, closed to newcomers, and in service again (playbooks/drain.yml, undrain.yml)"
$playbook switchyard.fleet.drain -e drain_nodes=pve2
$playbook switchyard.fleet.undrain -e undrain_nodes=pve2

cat <<END

The fleet of inventories/proxmox is up on the simulated cluster, $((SECONDS - began)) s after the start. What to try next:

  . .venv/bin/activate
  alias play="ansible-playbook -i inventories/proxmox -i $folder/inventory"
  play switchyard.fleet.site                                  # again: nothing changes
  play switchyard.fleet.balance                               # pve2 gets its share again
  play switchyard.fleet.plan -e plan_explain=pbx001           # every node, fit or not, and why
  play switchyard.fleet.migrate -e migrate_servers=sip1       # to the best node for it
  play switchyard.fleet.plan -e plan_goal=failover -e failover_nodes=pve1
  curl -sk -X POST -d what=kill -d node=pve3 $(sed -E 's/.*"pve1": "([^"]*)".*/\1/' $folder/about.json)/double/do    # a power cut
  make demo-down ENGINE=proxmox                               # everything gone again

On a cluster of your own: inventories/proxmox/group_vars/all.yml says what it takes.
END
