#!/usr/bin/env bash
# The demo: a lab of real nodes, the fleet of inventories/lab on it, and what to try next.
set -euo pipefail
began=$SECONDS
playbook="$SUDO env SWITCHYARD_LAB=$SWITCHYARD_LAB $BIN/ansible-playbook -i inventories/lab"

echo "== 1/2 the lab: $LAB_NODES nodes on this machine (playbooks/lab.yml)"
$playbook switchyard.fleet.lab -e lab_nodes="$LAB_NODES"

echo "== 2/2 the site: nodes installed, servers placed, created, started, asked (playbooks/site.yml)"
$playbook switchyard.fleet.site

as_root=${SUDO:+"$SUDO "}
cat <<END

The fleet of inventories/lab is up, $((SECONDS - began)) s after the start. What to try next:

  . .venv/bin/activate
  ${as_root}ansible-playbook switchyard.fleet.site                    # again: nothing changes
  \$EDITOR inventories/lab/hosts.yml                       # pbx[01:12] -> pbx[01:20]
  ${as_root}ansible-playbook switchyard.fleet.plan                    # what that would take, and why there
  ${as_root}ansible-playbook switchyard.fleet.site                    # do it
  ${as_root}ansible-playbook switchyard.fleet.drain -e drain_nodes=node2      # empty for maintenance; then undrain, balance
  ${as_root}ansible-playbook switchyard.fleet.undrain -e undrain_nodes=node2
  ${as_root}ansible-playbook switchyard.fleet.balance
  ${as_root}ansible-playbook switchyard.fleet.lab -e lab_power=cut -e lab_node=node2   # a real power cut
  ${as_root}ansible-playbook switchyard.fleet.plan                    # what the fleet looks like then
  make demo-down                                         # everything gone again
END
