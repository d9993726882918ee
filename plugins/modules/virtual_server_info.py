#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: the work is done by the action plugin of this name, in the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: virtual_server_info
short_description: What virtual servers are, where, and what they take
description:
  - Tells of every virtual server of the fleet where it is, how it is configured, and what it takes right now.
  - Servers that bear the fleet's mark and are not in the inventory are told as well, and so are those that are in the
    inventory and do not exist.
  - Values the platform does not tell are V(null), never V(0).
  - The number of requests does not depend on the number of servers, but for V(throughput) on Proxmox VE.
extends_documentation_fragment:
  - switchyard.fleet.controller
  - switchyard.fleet.controller.looking
author:
  - Switchyard contributors (@switchyard)
version_added: 0.1.0
options:
  name:
    description:
      - The servers meant. All, if left out.
      - Names, groups and patterns, as for hosts of a play, such as V(pbx*) or V(pbxs:!pbx03). Patterns match servers
        outside the inventory too.
      - A name or pattern that means nobody is an error.
    type: list
    elements: str
    aliases: [names]
  node:
    description: Only servers on one of these nodes.
    type: list
    elements: str
  site:
    description: Only servers on nodes of one of these sites.
    type: list
    elements: str
  class_name:
    description: Only servers of one of these classes.
    type: list
    elements: str
  template:
    description: Only servers made from one of these templates.
    type: list
    elements: str
  tenant:
    description: Only servers of one of these tenants.
    type: list
    elements: str
  state:
    description:
      - Only servers in one of these states.
      - V(unknown) are those on nodes that do not answer, V(absent) those that are declared and do not exist.
    type: list
    elements: str
    choices: [running, stopped, unknown, absent]
  strangers:
    description: Whether guests that do not bear this fleet's mark are told too.
    type: bool
    default: false
  gather_subset:
    description:
      - What is told beside place, state and configuration, which always are.
      - V(usage) is cores busy, memory, file systems, processes and uptime. With it or V(throughput), Incus is watched
        for a second.
      - V(throughput) is bytes per second over network and disk. On Proxmox VE it takes one request for each server
        that passes the filters. Incus does not tell that of disks.
      - V(replicas) is where replicas are and how old, and where the platform starts the server when its node dies.
      - V(min) is none of them, V(all) all.
    type: list
    elements: str
    choices: [min, usage, throughput, replicas, all]
    default: [usage, replicas]
seealso:
  - module: switchyard.fleet.node_info
  - module: switchyard.fleet.virtual_server
"""

EXAMPLES = r"""
- name: Look at everything
  switchyard.fleet.virtual_server_info:
  register: fleet

- name: Name the five that take most memory
  ansible.builtin.debug:
    msg: >-
      {{ fleet.servers | rejectattr('memory_used_mib', 'none')
         | sort(attribute='memory_used_mib', reverse=true) | map(attribute='name') | list | first(5) }}

- name: See how busy a tenant's servers are
  switchyard.fleet.virtual_server_info:
    tenant: [acme]
    state: [running]
    gather_subset: [usage, throughput]

- name: Find what is declared and does not exist
  switchyard.fleet.virtual_server_info:
    state: [absent]
    gather_subset: [min]
"""

RETURN = r"""
servers:
  description: The servers, by name.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Name., type: str, sample: pbx01}
    node: {description: Node it is on; empty for one that does not exist., type: str, sample: node2}
    site: {description: Site of that node., type: str, sample: berlin}
    state: {description: "V(running), V(stopped), V(unknown) or V(absent).", type: str, sample: running}
    fleet: {description: Fleet whose mark it bears; empty for a stranger., type: str, sample: berlin}
    declared: {description: Whether it is in the inventory., type: bool}
    trouble: {description: "What stands in the way of touching it, in words; empty if nothing does.", type: str}
    class_name: {description: Class it was made of., type: str, sample: pbx_small}
    template: {description: Template it was made from., type: str, sample: debian}
    template_version: {description: Version of that template., type: str, sample: "1"}
    tenant: {description: Whose server it is., type: str, sample: acme}
    cpu_cores: {description: Cores it may use., type: float, sample: 0.5}
    memory_mib: {description: Memory it may use., type: int, sample: 512}
    disk_mib: {description: Size of its root disk., type: int, sample: 4096}
    io: {description: "Its io budget, in the operator's unit.", type: int, sample: 20}
    pool: {description: Storage pool of its root disk., type: str, sample: default}
    interfaces: {description: "C(network) and C(address) of each interface.", type: list, elements: dict}
    addresses: {description: "Its addresses, those of its interfaces first.", type: list, elements: str}
    cpu_used_cores: {description: "Cores busy, with V(usage).", type: float, sample: 0.12}
    memory_used_mib: {description: "Memory in use, with V(usage).", type: int, sample: 210}
    uptime_seconds: {description: "Since its start, with V(usage).", type: float, sample: 86400.5}
    processes: {description: "How many run in it, with V(usage).", type: int, sample: 31}
    file_systems:
      description: "C(name), C(size_mib) and C(used_mib) of its disks, with V(usage)."
      type: list
      elements: dict
    network_receive_bytes_per_second: {description: With V(throughput)., type: float, sample: 1830.5}
    network_send_bytes_per_second: {description: With V(throughput)., type: float, sample: 912.0}
    disk_read_bytes_per_second: {description: With V(throughput)., type: float, sample: 0.0}
    disk_write_bytes_per_second: {description: With V(throughput)., type: float, sample: 4096.0}
    replicas:
      description: >-
        Its replicas, with V(replicas), with C(node), C(complete), C(age_seconds) since the last refresh that succeeded
        began, C(interval_seconds), C(refresh_seconds) it took, C(disk_mib) as configured,
        C(changing_mib) in files that were written from refresh to refresh, C(failures) since then,
        C(failed_seconds_ago) and C(failure), the reason of the last one. C(null) where the platform does not tell.
      type: list
      elements: dict
    failover_nodes:
      description: "Where the platform starts it by itself when its node dies, with V(replicas)."
      type: list
      elements: str
    failover_trouble: {description: "What a person has to put right about that, with V(replicas).", type: str}
api_calls:
  description: Requests sent to the platform.
  returned: success
  type: int
  sample: 18
"""
