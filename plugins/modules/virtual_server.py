#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: the work is done by the action plugin of this name, in the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: virtual_server
short_description: One virtual server
description:
  - Makes, copies, resizes, configures, moves, starts, stops, restarts or deletes one virtual server, on whichever
    platform the fleet is.
  - A server of the inventory is brought to what its C(vs_*) variables say, and no other server is touched. Options that
    say something else are refused.
  - A server that is not in the inventory is described by options, or by C(vs_*) variables of a host of that name. What
    it is not told it keeps, once it exists. It bears the fleet's mark, so that the playbook C(site) leaves it alone and
    names it, and deletes it only with V(prune=all); RV(inventory) is what to write to make it one of the inventory's.
  - Where it goes is planned as for a whole fleet, with room, rules and pins, and so that the fleet survives no less
    with it where there is such a place. Where there is none, RV(notes) say what it no longer survives.
  - A guest without the fleet's mark is never touched.
extends_documentation_fragment:
  - switchyard.fleet.controller
  - switchyard.fleet.controller.changing
author:
  - Switchyard contributors (@switchyard)
version_added: 0.1.0
options:
  name:
    description: The server's name, exactly. No pattern.
    type: str
    required: true
  state:
    description:
      - V(present) is there, in its size, configuration and place; a new one is not started, another left running or
        not as it is.
      - V(started) is there and runs, and answers its checks.
      - V(stopped) rests. It has to exist.
      - V(restarted) was stopped and started, or only started if it rested. It has to exist, and is always
        RV(ignore:changed).
      - V(absent) is deleted with its disk, and with its replicas.
    type: str
    choices: [present, absent, started, stopped, restarted]
    default: present
  node:
    description:
      - Name of the node it is to be on. A server elsewhere is moved there, with those tied to it; others may be moved
        to make room.
      - V(best) is the node with most room for it, of those that fit. It is left where it is if no other is better.
      - Left out, a new one goes where the planner puts it, and another stays where it is.
    type: str
  copy_from:
    description:
      - Server of this fleet a new one is copied from, running or not, with what is on its disk at one moment.
      - Its size, class and pool are the other's unless options say otherwise; its addresses and tenant are its own.
      - Nothing is copied to a server that exists.
    type: str
  import_from:
    description:
      - File that M(switchyard.fleet.virtual_server_export) wrote, of this fleet or another, which a new server is made
        of.
      - Under the name it had, it is the server it was, with its machine id, host keys, and addresses, as far as this
        fleet has its networks. So the other one must be gone, or for ever out of reach.
      - Under another name it is a new server, as a copy is.
      - It starts with no replica and no failover; those come from the inventory.
      - Its size, class and pool are those it had unless options, or the inventory, say otherwise.
      - A server that exists is not touched; where it was not made of this very file, the task fails.
      - A file C(.sha256) beside it has to fit. Import only what you trust as you trust a template.
    type: path
  class_name:
    description: Named size, one of C(fleet_classes).
    type: str
    aliases: [class]
  template:
    description: What it is made from, one of C(fleet_templates). Of a server that exists it is not changed.
    type: raw
  cores:
    description: Cores it may use; fractions are shares of one. Takes precedence over O(class_name).
    type: raw
  memory:
    description: Memory it may use, in MiB or with a unit, V(2GiB). Takes precedence over O(class_name).
    type: raw
  disk:
    description:
      - Size of its root disk, in MiB or with a unit. Takes precedence over O(class_name).
      - A disk only grows. A smaller one is refused, as it would lose data.
    type: raw
  io:
    description: Its io budget, in the operator's own unit. Takes precedence over O(class_name).
    type: raw
  pool:
    description: Storage pool of its root disk. Of a server that exists it is not changed.
    type: raw
  network:
    description: Network of O(address), one of C(fleet_networks). May be left out where there is only one.
    type: raw
  address:
    description: Its address. Left out, one is allocated, and kept.
    type: raw
  interfaces:
    description: All its interfaces, as C(vs_interfaces), instead of O(network) and O(address).
    type: list
    elements: raw
  tenant:
    description: Whose server it is.
    type: raw
  site:
    description: Site it has to be in.
    type: raw
  devices:
    description: Devices its node must have.
    type: list
    elements: raw
  affinity:
    description: Servers or groups it shares its node with, as C(vs_affinity). Holds for this task.
    type: list
    elements: raw
  anti_affinity:
    description: Servers or groups it keeps away from, as C(vs_anti_affinity). Holds for this task.
    type: list
    elements: raw
  checks:
    description: Questions it answers when it is well, as C(vs_checks). Waited for at a start, and after a move.
    type: list
    elements: raw
  restart:
    description: Whether it may be restarted where a change needs that, such as a new address.
    type: bool
    default: false
  force:
    description: Whether O(state=absent) deletes a server that runs.
    type: bool
    default: false
  wait:
    description: Whether a start is over only when the server has answered its checks.
    type: bool
    default: true
  wait_timeout:
    description:
      - Seconds all of it may take. When they are over nothing more is begun, and the task fails and says what is done
        and what remains; run again, it goes on from there.
    type: float
    default: 600
notes:
  - Each task, loop item and host takes the fleet's lock by itself, and hosts side by side wait for each other. To bring
    up many servers at once, declare them and use M(switchyard.fleet.apply), which makes them side by side.
seealso:
  - module: switchyard.fleet.virtual_server_info
  - module: switchyard.fleet.apply
"""

EXAMPLES = r"""
- name: Make and start a server that the inventory declares
  switchyard.fleet.virtual_server:
    name: pbx042
    state: started

- name: Make one by hand, wherever there is room, away from another
  switchyard.fleet.virtual_server:
    name: trial7
    state: started
    class_name: pbx_small
    template: debian
    tenant: acme
    anti_affinity: [pbx042]
    checks:
      - {type: sip}
  register: made

- name: Say where it is reached
  ansible.builtin.debug:
    msg: "{{ made.server.name }} has {{ made.server.addresses | first }} on {{ made.server.node }}"

- name: Make a copy to try an upgrade on
  switchyard.fleet.virtual_server:
    name: pbx042-trial
    state: started
    copy_from: pbx042

- name: Give it more, and move it to the best node for that
  switchyard.fleet.virtual_server:
    name: trial7
    memory: 2GiB
    node: best

- name: Restart several
  switchyard.fleet.virtual_server:
    name: "{{ item }}"
    state: restarted
  loop: [pbx001, pbx002]

- name: Delete one, though it runs
  switchyard.fleet.virtual_server:
    name: trial7
    state: absent
    force: true
"""

RETURN = r"""
server:
  description: The server as it is now, or would be. Of one that is absent only name and state.
  returned: success
  type: dict
  contains:
    name: {description: Name., type: str, sample: pbx01}
    node: {description: Node it is on., type: str, sample: node2}
    site: {description: Site of that node., type: str, sample: berlin}
    state: {description: "V(running), V(stopped) or V(absent).", type: str, sample: running}
    fleet: {description: The fleet., type: str, sample: berlin}
    declared: {description: Whether it is in the inventory., type: bool}
    class_name: {description: Its class., type: str, sample: pbx_small}
    template: {description: Template it was made from., type: str, sample: debian}
    template_version: {description: Version of that template., type: str, sample: "1"}
    tenant: {description: Whose server it is., type: str, sample: acme}
    cpu_cores: {description: Cores it may use., type: float, sample: 0.5}
    memory_mib: {description: Memory it may use., type: int, sample: 512}
    disk_mib: {description: Size of its root disk., type: int, sample: 4096}
    io: {description: Its io budget., type: int, sample: 20}
    pool: {description: Storage pool of its root disk., type: str, sample: default}
    interfaces: {description: "C(network) and C(address) of each.", type: list, elements: dict}
    addresses: {description: Its addresses., type: list, elements: str}
inventory:
  description: What to write into the inventory, for this host in the group C(virtual_servers), so that it declares it.
  returned: for a server that is not in the inventory
  type: dict
  sample: {vs_class: pbx_small, vs_template: debian, vs_network: lan, vs_address: 10.20.0.40}
steps:
  description: What has to be done, in order, by id.
  returned: success
  type: list
  elements: str
  sample: [create/pbx01, start/pbx01]
notes:
  description: Worth knowing, such as failures the fleet does not survive any more.
  returned: success
  type: list
  elements: str
summary:
  description: What it comes to, in one line.
  returned: success
  type: str
  sample: "pbx01: 1 to create, 1 to start"
api_calls:
  description: Requests sent to the platform.
  returned: success
  type: int
  sample: 40
done:
  description: Steps that are done, in the order they ended.
  returned: when there was anything to do, not in check mode
  type: list
  elements: str
remaining:
  description: Steps that are not done.
  returned: when there was anything to do, not in check mode
  type: list
  elements: str
gaps:
  description: Seconds each server that moved was without service, by name.
  returned: when there was anything to do, not in check mode
  type: dict
  sample: {pbx01: 1.1}
failed_steps:
  description: Steps that failed, with C(step) and C(error).
  returned: when there was anything to do, not in check mode
  type: list
  elements: dict
refusals:
  description: Why it cannot be, with C(subject) and C(reason).
  returned: when it cannot
  type: list
  elements: dict
mistakes:
  description: What is wrong with the options, or with the inventory.
  returned: when something is
  type: list
  elements: str
"""
