# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``switchyard-agent WHAT [...]``, as systemd, Pacemaker and people on a node call it."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from ..engine.base import EngineError
from . import settings

COMMANDS = {
    "due": ("replicas", "start a refresh of every replica that is due; what a timer calls"),
    "refresh": ("replicas", "refresh one replica now"),
    "settle": ("settle", "after a start of the node: start what is to run here, put aside what is stale"),
    "changing": ("changing", "see how much is written in servers from refresh to refresh; what a timer calls"),
    "check": ("check", "how old the replicas here are, for monitoring; exit status 0, 1 (warning), 2 (critical)"),
    "pair": ("pair", "what Pacemaker's resource agent asks: start, stop, monitor of one pair of nodes"),
    "leave": ("leave", "at an orderly end of the node's membership: wait for whoever takes over; what systemd calls"),
    "disks": ("disks", "bring the devices of servers in step to what their copies here are"),
    "fence-peer": ("fence_peer", "what DRBD asks when a server in step has lost its other node"),
    "pairs": ("pairs", "bring the cluster's pairs in step with the servers here"),
}
"""Command -> its module here, which has ``arguments(parser)`` and ``run(settings, options) -> exit status``."""


def main() -> int:
    """Carry out one command; its exit status."""
    parser = argparse.ArgumentParser(prog="switchyard-agent", description="A node's part in keeping its servers alive.")
    parser.add_argument("--settings", default=settings.FILE, help="what the role replication wrote (%(default)s)")
    commands = parser.add_subparsers(dest="command", required=True)
    wanted = next((word for word in sys.argv[1:] if word in COMMANDS), "")
    for name, (module, words) in COMMANDS.items():
        below = commands.add_parser(name, help=words, description=words)
        # Pacemaker calls this every few seconds: only what is asked for is loaded.
        if name == wanted:
            import_module(f".{module}", __package__).arguments(name, below)
    options = parser.parse_args()
    try:
        status: int = import_module(f".{COMMANDS[options.command][0]}", __package__).run(
            settings.load(options.settings), options
        )
    except EngineError as error:
        sys.stderr.write(f"switchyard-agent {options.command}: {error}\n")
        return 2
    return status


if __name__ == "__main__":
    raise SystemExit(main())
