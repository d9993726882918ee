#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of a node's kernel, for many servers that carry voice."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_tuning
short_description: Set a node's kernel to what many servers need
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - Compares settings of the kernel with what is wanted and changes those that differ, now and in a file for the next
    start.
  - Settings that are limits are only raised.
  - What of its own settings cannot be set here, as much of it in a container, is told and is no failure.
attributes:
  check_mode:
    description: Can run in check mode and return the changes it would make.
    support: full
  diff_mode:
    description: Returns the settings and the file as they are and as they are to be.
    support: full
options:
  settings:
    description:
      - Values of settings, by their names in C(sysctl), instead of this collection's own or beside them. An empty value
        leaves a setting alone.
      - Those of one's own are set to exactly their value.
      - Where one is unknown, or the kernel does not take its value, the task fails and none is changed.
    type: dict
    default: {}
  file:
    description: File for the next start.
    type: path
    default: /etc/sysctl.d/60-switchyard-node.conf
  modules_file:
    description: File that has the module of connection tracking loaded at the next start, before its settings are read.
    type: path
    default: /etc/modules-load.d/switchyard-node.conf
"""

EXAMPLES = r"""
- name: Set the kernel to what many servers need, and to use swap even less
  switchyard.fleet.node_tuning:
    settings:
      vm.swappiness: 1
      net.ipv4.tcp_congestion_control: bbr
      vm.dirty_bytes: ""
"""

RETURN = r"""
settings:
  description: Settings that were, or would be, changed, with their new values.
  returned: always
  type: dict
  sample: {vm.swappiness: "10"}
refused:
  description: Settings that cannot be had here, and why, V(absent) or V(read-only).
  returned: always
  type: dict
  sample: {net.core.netdev_max_backlog: absent}
"""

import os
import platform
from collections.abc import Iterable
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.node.facts import read
from ..module_utils.node.tuning import Found, Tuning, mistakes, plan, read_file, wanted, write_file

NOTE = "Managed by Ansible: role switchyard.fleet.node, variable node_tuning."
_KERNEL = Path("/proc/sys")


def path_of(key: str) -> Path:
    """Where the kernel has it. Names of devices may have dots, written as slashes."""
    swapped = key if "/" in key.split(".", 1)[0] else key.translate(str.maketrans("./", "/."))
    return _KERNEL / swapped


def look(key: str) -> Found:
    """A setting as it is."""
    path = path_of(key)
    if not path.is_file():
        return Found(None)
    return Found(read(path).strip(), os.access(path, os.W_OK))


def put(key: str, value: str) -> str:
    """Set one; why the kernel does not take it, empty if it does."""
    try:
        path_of(key).write_text(f"{value}\n", encoding="ascii")
    except OSError as error:
        return str(error.strerror or error)
    return ""


def set_asked(tuning: Tuning, asked: Iterable[str]) -> str:
    """Set what the inventory itself asks for: all, or nothing and why not."""
    done: list[str] = []
    for key in asked:
        if key not in tuning.change:
            continue
        _before, after = tuning.change[key]
        trouble = put(key, after)
        if trouble:
            for other in done:
                put(other, tuning.change[other][0])
            return f'{key}: "{after}": the kernel says: {trouble}'
        done.append(key)
    return ""


def main() -> None:
    """Look, compare, change, tell."""
    module = AnsibleModule(
        argument_spec={
            "settings": {"type": "dict", "default": {}},
            "file": {"type": "path", "default": "/etc/sysctl.d/60-switchyard-node.conf"},
            "modules_file": {"type": "path", "default": "/etc/modules-load.d/switchyard-node.conf"},
        },
        supports_check_mode=True,
    )
    options = module.params
    file, modules_file = Path(options["file"]), Path(options["modules_file"])
    said = options["settings"]
    asked = wanted(said)
    found = {key: look(key) for key in asked}
    wrong = mistakes(said, found)
    text = read(file)
    tuning = plan(asked, found, read_file(text))
    if not wrong and not module.check_mode:
        trouble = set_asked(tuning, said)
        wrong = [trouble] if trouble else []
    if wrong:
        module.fail_json(msg=f"node_tuning: {'; '.join(wrong)}; nothing was changed")
    failed: dict[str, str] = {}
    if not module.check_mode:
        # What the kernel refuses although it looked writable, and in what words.
        others = {key: put(key, after) for key, (_before, after) in tuning.change.items() if key not in said}
        failed = {key: trouble for key, trouble in others.items() if trouble}
    refused: dict[str, str] = {**tuning.refused, **failed}
    new_text = write_file({key: value for key, value in tuning.keep.items() if key not in failed}, NOTE)
    # A container has no modules of its own to load.
    loads = Path("/lib/modules", platform.release()).is_dir() and "net.netfilter." in new_text
    tracking = f"# {NOTE}\nnf_conntrack\n" if loads else ""
    texts = {file: (text, new_text), modules_file: (read(modules_file), tracking)}
    if not module.check_mode:
        for path, (before, after) in texts.items():
            if before != after and after:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(after, encoding="utf-8")
            elif before != after:
                path.unlink(missing_ok=True)
    shown = {key: pair for key, pair in tuning.change.items() if key not in refused}
    differing = {path: pair for path, pair in texts.items() if pair[0] != pair[1]}
    diff = [
        {
            "before_header": "settings",
            "after_header": "settings",
            "before": "".join(f"{key} = {old}\n" for key, (old, _new) in shown.items()),
            "after": "".join(f"{key} = {new}\n" for key, (_old, new) in shown.items()),
        },
        *(
            {"before_header": str(path), "after_header": str(path), "before": old, "after": new}
            for path, (old, new) in differing.items()
        ),
    ]
    changed = bool(shown or differing)
    settings = {key: new for key, (_old, new) in shown.items()}
    module.exit_json(changed=changed, settings=settings, refused=refused, diff=diff if changed else [])


if __name__ == "__main__":
    main()
