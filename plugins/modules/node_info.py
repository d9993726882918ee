#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: the work is done by the action plugin of this name, in the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_info
short_description: What nodes have, carry and take
description:
  - Tells of every node of the fleet whether it answers and takes servers, what it has and has promised, whom it
    carries, and what it takes right now.
  - Nodes that only the platform knows, such as members of a cluster that the inventory leaves out, come last.
  - Values the platform does not tell are V(null), never V(0).
  - The number of requests depends on the number of nodes alone.
extends_documentation_fragment:
  - switchyard.fleet.controller
  - switchyard.fleet.controller.looking
author:
  - Switchyard contributors (@switchyard)
version_added: 0.1.0
options:
  name:
    description:
      - The nodes meant. All, if left out.
      - Names, groups and patterns, as for hosts of a play. One that means nobody is an error.
    type: list
    elements: str
    aliases: [names]
  site:
    description: Only nodes of one of these sites.
    type: list
    elements: str
  failure_domain:
    description: Only nodes in one of these failure domains.
    type: list
    elements: str
  state:
    description:
      - Only nodes in one of these states.
      - V(maintenance) are those that are drained, or declared to be in maintenance; V(offline) those that do not
        answer.
    type: list
    elements: str
    choices: [active, maintenance, offline]
  gather_subset:
    description:
      - What is told beside name, place and state, which always are.
      - V(capacity) is what a node has, may promise to servers, and has promised.
      - V(usage) is load, cores busy, memory, file systems, processes and uptime. With it or V(throughput), Incus is
        watched for a second. Incus tells neither cores busy nor uptime of a node.
      - V(throughput) is bytes per second over the network cards that lead out of the node, and its disks, which
        neither platform tells of nodes.
      - V(servers) is whom it carries.
      - V(min) is none of them, V(all) all.
    type: list
    elements: str
    choices: [min, capacity, usage, throughput, servers, all]
    default: [all]
seealso:
  - module: switchyard.fleet.virtual_server_info
  - module: switchyard.fleet.node
"""

EXAMPLES = r"""
- name: Look at all nodes
  switchyard.fleet.node_info:
  register: fleet

- name: Name those that do not answer
  ansible.builtin.debug:
    msg: "{{ fleet.nodes | selectattr('state', 'equalto', 'offline') | map(attribute='name') | list }}"

- name: See what is left in a rack
  switchyard.fleet.node_info:
    failure_domain: [rack2]
    gather_subset: [capacity]
"""

RETURN = r"""
nodes:
  description: The nodes, in the inventory's order.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Name., type: str, sample: node1}
    address: {description: Address of its engine., type: str, sample: 192.0.2.11}
    site: {description: Site it is in., type: str, sample: berlin}
    failure_domain: {description: "Failure domain it is in, its own where none is declared.", type: str, sample: rack1}
    witness: {description: Whether it only votes., type: bool}
    declared: {description: Whether it is in the inventory., type: bool}
    state: {description: "V(active), V(maintenance) or V(offline).", type: str, sample: active}
    error: {description: "Why it does not answer; empty if it does.", type: str}
    takes_servers: {description: Whether new servers may come to it., type: bool}
    version: {description: "Version of its engine.", type: str, sample: 6.0.4}
    cpu_cores: {description: "Cores it has, with V(capacity).", type: float, sample: 16.0}
    memory_mib: {description: "Memory it has, with V(capacity).", type: int, sample: 65536}
    pools:
      description: "C(name), C(size_mib) and C(used_mib) of its storage pools, with V(capacity)."
      type: list
      elements: dict
    templates: {description: "Templates it holds, with V(capacity).", type: list, elements: str, sample: [debian 1]}
    usable_cpu_cores: {description: "What may be promised, with V(capacity).", type: float, sample: 60.0}
    usable_memory_mib: {description: "What may be promised, with V(capacity).", type: int, sample: 61440}
    usable_disk_mib: {description: "What may be promised, by pool, with V(capacity).", type: dict}
    usable_io: {description: "What may be promised, with V(capacity); V(null) where there is no limit.", type: int}
    promised_cpu_cores: {description: "What is promised, with V(capacity).", type: float, sample: 12.5}
    promised_memory_mib: {description: "What is promised, with V(capacity).", type: int, sample: 20480}
    promised_disk_mib: {description: "What is promised, by pool, with V(capacity).", type: dict}
    promised_io: {description: "What is promised, with V(capacity).", type: int, sample: 400}
    fullest_resource: {description: "What there is least left of, with V(capacity).", type: str, sample: memory}
    fullest_percent: {description: "How much of that is promised, with V(capacity).", type: float, sample: 33.3}
    load_1min: {description: "Processes waiting to run, with V(usage).", type: float, sample: 0.5}
    load_5min: {description: "Processes waiting to run, with V(usage).", type: float, sample: 0.4}
    load_15min: {description: "Processes waiting to run, with V(usage).", type: float, sample: 0.4}
    cpu_used_cores: {description: "Cores busy, with V(usage).", type: float, sample: 3.2}
    memory_used_mib: {description: "Memory in use, with V(usage).", type: int, sample: 18022}
    uptime_seconds: {description: "Since its start, with V(usage).", type: float, sample: 864000.0}
    processes: {description: "How many run on it, with V(usage).", type: int, sample: 412}
    file_systems:
      description: "C(name), C(size_mib) and C(used_mib) of its own file systems, with V(usage)."
      type: list
      elements: dict
    network_receive_bytes_per_second: {description: With V(throughput)., type: float, sample: 125000.0}
    network_send_bytes_per_second: {description: With V(throughput)., type: float, sample: 98000.5}
    disk_read_bytes_per_second: {description: With V(throughput)., type: float}
    disk_write_bytes_per_second: {description: With V(throughput)., type: float}
    servers: {description: "Servers of ours it carries, with V(servers).", type: list, elements: str}
    servers_running: {description: "How many of them run, with V(servers).", type: int, sample: 14}
    replicas: {description: "Servers whose replica it holds, with V(servers).", type: list, elements: str}
    replicas_kept:
      description: >-
        How current these replicas are, with V(servers), with C(server), C(complete), C(age_seconds) since the last
        refresh that succeeded began, C(interval_seconds), C(refresh_seconds) it took, C(disk_mib) as configured,
        C(changing_mib) in files that were written from refresh to refresh,
        C(failures) since then, C(failed_seconds_ago) and C(failure), the reason of the last one. C(null) where the
        platform does not tell.
      type: list
      elements: dict
    strangers: {description: "Guests there that are not ours, with V(servers).", type: list, elements: str}
api_calls:
  description: Requests sent to the platform.
  returned: success
  type: int
  sample: 18
"""
