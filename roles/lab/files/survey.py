# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say what a running lab lacks: survey.py BRIDGE GATEWAY IMAGE, with the lab's own Incus in the environment.

Prints JSON: ``missing`` (any of network, pool, profile, image, bridge, rules, way out and power switch) and ``nodes``,
for each whether it is ``finished`` and ``running``, whether it has the key of the power switch (``switched``), and
``port``, the machine's end of its cable if that is loose.

What an interrupted run left the daemon at work on is waited for first: a node in the making can be neither used nor
deleted.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PATIENCE_S = 120


class SurveyError(Exception):
    """The lab's Incus does not answer; the message says how."""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; failing is an answer."""
    return subprocess.run(command, capture_output=True, text=True, check=False)


def query(path: str) -> Any:
    """What Incus has under this path of its API; ``None`` for nothing, which the client prints as just that."""
    answer = run("incus", "query", path)
    if answer.returncode == 0:
        return json.loads(answer.stdout) if answer.stdout.strip() else None
    if "not found" in answer.stderr.lower():
        return None
    raise SurveyError(answer.stderr.strip() or f"incus query {path} failed")


def settle() -> None:
    """Let the daemon finish its work, each task of it within ``PATIENCE_S``."""
    for task in (query("/1.0/operations?recursion=1") or {}).get("running", []):
        if task["class"] == "task":
            run("incus", "query", f"/1.0/operations/{task['id']}/wait?timeout={PATIENCE_S}")


def masquerades(bridge: str) -> bool:
    """Whether the firewall still lets the nodes out, in nftables or where Incus found iptables in use."""
    chain = run("nft", "list", "chain", "inet", "incus", f"pstrt.{bridge}")
    if "masquerade" in chain.stdout:
        return True
    try:
        return f"Incus network {bridge}" in run("iptables", "--wait", "--table", "nat", "--list-rules").stdout
    except FileNotFoundError:
        return False


def missing_parts(bridge: str, gateway: str, image: str) -> list[str]:
    """Which parts of the lab, its nodes aside, are not what they should be."""
    network = query(f"/1.0/networks/{bridge}") or {}
    profile = query("/1.0/profiles/default") or {}
    address = run("ip", "-4", "-oneline", "address", "show", "dev", bridge).stdout
    listens = (query("/1.0") or {}).get("config", {}).get("core.https_address")
    trusted = {each["name"] for each in query("/1.0/certificates?recursion=1") or []}
    parts = {
        "network": network.get("status") in ("Created", "Unavailable"),
        "pool": query("/1.0/storage-pools/default") is not None,
        "profile": {"root", "eth0"} <= set(profile.get("devices", {})),
        "image": query(f"/1.0/images/aliases/{image}") is not None,
        "bridge": f" {gateway}/24 " in address,
        "rules": masquerades(bridge),
        "way out": not run("sh", str(Path(__file__).with_name("firewall.sh")), "closed", bridge).stdout,
        "power switch": listens == f"{gateway}:8443" and "power" in trusted,
    }
    return [name for name, whole in parts.items() if not whole]


def nodes(bridge: str) -> dict[str, dict[str, Any]]:
    """The nodes there are."""
    found = {}
    for instance in query("/1.0/instances?recursion=1") or []:
        port = instance["config"].get("volatile.eth0.host_name", "")
        master = Path("/sys/class/net", port, "master")
        loose = port and master.parent.exists() and (not master.exists() or master.resolve().name != bridge)
        found[instance["name"]] = {
            "finished": "user.lab.finished" in instance["config"],
            "switched": "user.lab.switch" in instance["config"],
            "running": instance["status"] == "Running",
            "port": port if loose else "",
        }
    return found


def main() -> int:
    """Print the survey, or one line of error."""
    bridge, gateway, image = sys.argv[1:4]
    try:
        settle()
        survey = {"missing": missing_parts(bridge, gateway, image), "nodes": nodes(bridge)}
    except SurveyError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(survey))
    return 0


if __name__ == "__main__":
    sys.exit(main())
