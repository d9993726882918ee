# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules that do their work in the controller have in common."""

from __future__ import annotations


class ModuleDocFragment:
    """Where they run, what they read, what they need; and of those that only look, that they change nothing."""

    DOCUMENTATION = r"""
options: {}
requirements:
  - C(netaddr) where ansible-playbook runs
  - C(urllib3) there for Incus, C(proxmoxer) and C(requests) for Proxmox VE
notes:
  - Runs in the controller, whatever the play's host is, and needs no connection to that host. To ask once in a play
    over many hosts, use C(run_once) or target V(localhost).
  - Reads the inventory groups V(nodes) and V(virtual_servers); what may stand in it is described in
    the collection's inventory reference.
"""

    LOOKING = r"""
options: {}
attributes:
  check_mode:
    support: full
    description: It only looks.
  diff_mode:
    support: none
    description: There is nothing to change.
"""

    CHANGING = r"""
options:
  lock_timeout:
    description:
      - Seconds to wait for the fleet's lock, which other tasks and other hosts of the same task may hold.
      - One run changes the fleet at a time, whoever it is and wherever it runs.
    type: float
    default: 300
  break_lock:
    description:
      - Token of a lock whose run is known to be gone, as the error about it names it.
      - A lock of a run that has ended on this machine, or that has given no sign of life for
        V(fleet_lock_ttl), is taken over without asking.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    description: Nothing is changed, and what would be is told.
  diff_mode:
    support: full
    description: Shows what changes.
"""
