# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""community.proxmox.proxmox, the way people bring up many containers with it: in a loop, a host each, or async.

It comes from the PyPI package ``ansible``, in an environment of its own. Each container takes two tasks, ``present``
and ``started``, each of which waits for its end; nothing is placed or checked.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from proxmox_cluster import Cluster

ROOT = Path(__file__).parents[2]
VENV = ROOT / ".cache" / "peer"
TAG = "switchyard-bench-peer"
Way = Literal["loop", "hosts", "async"]


class Peer:
    """One cluster's guests, made by somebody else."""

    def __init__(self, folder: Path, wanted: dict[str, Any]) -> None:
        """``wanted``: options of the module that all have in common."""
        self._folder = folder
        self._wanted = wanted

    @staticmethod
    def install() -> str:
        """The environment, made once; the versions of the collection and of Ansible in it."""
        requirements = ROOT / "tests" / "requirements" / "peer.txt"
        mark = VENV / ".peer"
        if not mark.exists() or mark.stat().st_mtime < requirements.stat().st_mtime:
            subprocess.run(
                [ROOT / "tests/tools/venv.sh", str(VENV), "python3", str(requirements)],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            mark.touch()
        listed = _run([str(VENV / "bin/ansible-galaxy"), "collection", "list", "community.proxmox", "--format", "json"])
        version = next(each["community.proxmox"]["version"] for each in json.loads(listed).values())
        core = _run([str(VENV / "bin/ansible"), "--version"]).split("\n")[0]
        return f"community.proxmox {version}, {core}"

    def converge(self, cluster: Cluster, guests: Sequence[dict[str, Any]], way: Way) -> None:
        """All of them exist and run. Each is ``name``, ``vmid``, ``node``, ``address``."""
        address, port = next(iter(cluster.nodes.values()))
        user, _mark, rest = cluster.token.partition("!")
        name, _is, secret = rest.partition("=")
        empty = self._folder / "empty.cfg"
        empty.touch()
        env = {
            **os.environ,
            "PROXMOX_HOST": address,
            "PROXMOX_PORT": str(port),
            "PROXMOX_USER": user,
            "PROXMOX_TOKEN_ID": name,
            "PROXMOX_TOKEN_SECRET": secret,
            "PROXMOX_VALIDATE_CERTS": "false",
            # Forks and all else at their defaults.
            "ANSIBLE_CONFIG": str(empty),
            "ANSIBLE_DEPRECATION_WARNINGS": "false",
        }
        inventory, play = self._folder / f"{way}.hosts.json", self._folder / f"{way}.play.json"
        inventory.write_text(json.dumps(_inventory(guests, way)))
        play.write_text(json.dumps([self._play(guests, way)]))
        command = [str(VENV / "bin/ansible-playbook"), "-i", str(inventory), str(play)]
        done = subprocess.run(command, env=env, cwd=self._folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout[-4000:]}{done.stderr}")

    def _play(self, guests: Sequence[dict[str, Any]], way: Way) -> dict[str, Any]:
        subject = "" if way == "hosts" else "item."
        present = {
            **self._wanted,
            "state": "present",
            "hostname": f"{{{{ {subject or 'guest_'}name }}}}",
            "vmid": f"{{{{ {subject or 'guest_'}vmid }}}}",
            "node": f"{{{{ {subject or 'guest_'}node }}}}",
            "netif": {"net0": self._wanted["netif"].replace("ADDRESS", f"{{{{ {subject or 'guest_'}address }}}}")},
            "tags": [TAG],
        }
        started = {"state": "started", "vmid": present["vmid"]}
        tasks: list[dict[str, Any]] = []
        for what in (present, started):
            task: dict[str, Any] = {"name": what["state"], "community.proxmox.proxmox": what}
            if way != "hosts":
                task |= {"loop": list(guests), "loop_control": {"label": "{{ item.name }}"}}
            if way == "async":
                task |= {"async": 7200, "poll": 0, "register": "jobs"}
            tasks.append(task)
            if way == "async":
                tasks.append(
                    {
                        "name": f"{what['state']}: wait",
                        "ansible.builtin.async_status": {"jid": "{{ item.ansible_job_id }}"},
                        "loop": "{{ jobs.results }}",
                        "loop_control": {"label": "{{ item.item.name }}"},
                        "register": "job",
                        "until": "job.finished",
                        "retries": 7200,
                        "delay": 1,
                    }
                )
        return {"hosts": "all", "gather_facts": False, "tasks": tasks}


def _inventory(guests: Sequence[dict[str, Any]], way: Way) -> dict[str, Any]:
    here = {"ansible_connection": "local", "ansible_python_interpreter": str(VENV / "bin/python")}
    hosts: dict[str, Any] = {"localhost": {}}
    if way == "hosts":
        # Names of their own: "name" alone is a word of Ansible's.
        hosts = {each["name"]: {f"guest_{key}": value for key, value in each.items()} for each in guests}
    return {"all": {"vars": here, "hosts": hosts}}


def _run(command: list[str]) -> str:
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout
