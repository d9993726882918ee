# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for a node's ``pvecm``, ``pvesh``, ``systemctl`` and so on, as far as membership of a cluster goes.

Nodes are folders in ``WORLD``, each a small file system; ``NODE`` is the one a command runs on. A node is online for
those whose corosync.conf has it, as long as its own has them, too. Written after the manual; the real commands are Perl
and need the real cluster file system.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

WORLD, NODE = Path(os.environ["WORLD"]), os.environ["NODE"]
PASSWORD, FINGERPRINT = "a root password", os.environ.get("FINGERPRINT", "")


def root(node: str = NODE) -> Path:
    return WORLD / node / "etc"


def conf(node: str = NODE) -> dict[str, str]:
    """Node -> first address, of a node's corosync.conf."""
    path = root(node) / "pve/corosync.conf"
    text = path.read_text() if path.exists() else ""
    return dict(re.findall(r"name: (\S+)\n\s*ring0_addr: (\S+)", text))


def write(cluster: str, nodes: dict[str, str], *members: str) -> None:
    blocks = "".join(f"  node {{\n    name: {n}\n    ring0_addr: {a}\n  }}\n" for n, a in nodes.items())
    text = f"nodelist {{\n{blocks}}}\ntotem {{\n  cluster_name: {cluster}\n}}\n"
    for member in members:
        for place in ("pve", "corosync"):
            (root(member) / place).mkdir(parents=True, exist_ok=True)
            (root(member) / place / "corosync.conf").write_text(text)


def name() -> str:
    return re.search(r"cluster_name: (\S+)", (root() / "pve/corosync.conf").read_text())[1]


def online() -> set[str]:
    return {each for each in conf() if NODE in conf(each)}


def option(words: list[str], key: str) -> str:
    return words[words.index(key) + 1] if key in words else ""


def pvesh(words: list[str]) -> None:
    if words[1] == "/version":
        print(json.dumps({"version": "9.1.9"}))
        return
    nodes = conf() or {NODE: "192.0.2.1"}
    rows = [{"type": "node", "name": each, "online": int(each in (online() or {NODE}))} for each in nodes]
    if conf():
        rows.append({"type": "cluster", "name": name(), "quorate": int(2 * len(online()) > len(conf()))})
    print(json.dumps(rows))


def pvecm(words: list[str]) -> None:
    if words[0] == "create":
        write(words[1], {NODE: option(words, "--link0")}, NODE)
        (root() / "corosync/authkey").touch()
    elif words[0] == "delnode":
        left = {each: address for each, address in conf().items() if each != words[1]}
        write(name(), left, *(each for each in online() if each != words[1]))
    elif words[0] == "add":
        add(words)


def add(words: list[str]) -> None:
    if sys.stdin.isatty():
        # The real one makes its worker the foreground of the session's terminal, and then reads keys until a CR.
        sys.exit("failed to tcsetpgrp: Inappropriate ioctl for device")
    if sys.stdin.readline().removesuffix("\n") != PASSWORD:
        sys.exit("401 authentication failure")
    peer = next(each.name for each in WORLD.iterdir() if words[1] in conf(each.name).values())
    if option(words, "--fingerprint") != FINGERPRINT:
        sys.exit("fingerprint not verified, abort!")
    if (root() / "corosync/authkey").exists():
        sys.exit("detected the following error(s):\n* authentication key '/etc/corosync/authkey' already exists")
    members = [each for each in conf(peer) if peer in conf(each)]
    text = (root(peer) / "pve/corosync.conf").read_text()
    cluster = re.search(r"cluster_name: (\S+)", text)[1]
    if NODE in conf(peer):
        sys.exit(f"can't add node '{NODE}' - already exists")
    nodes = conf(peer) | {NODE: option(words, "--link0")}
    write(cluster, nodes, *members)
    if (WORLD / f"cut-{NODE}").exists():
        (WORLD / f"cut-{NODE}").unlink()
        sys.exit("cut off")
    write(cluster, nodes, NODE)
    (root() / "corosync/authkey").touch()
    print(f"successfully added node '{NODE}' to cluster.")


def main() -> None:
    command, words = Path(sys.argv[1]).name, sys.argv[2:]
    with (WORLD / "calls").open("a") as calls:
        calls.write(f"{NODE} {command} {' '.join(words)}\n")
    if command in ("pvesh", "pvecm"):
        {"pvesh": pvesh, "pvecm": pvecm}[command](words)
    elif command in ("pidof", "pgrep"):
        sys.exit(1)
    elif command == "pmxcfs":
        shutil.rmtree(root() / "pve/nodes/other", ignore_errors=True)


if __name__ == "__main__":
    main()
