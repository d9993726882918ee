# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller does, from a test's machine: ``control.py ACTION``, with the collection's own engine."""

from __future__ import annotations

import sys

sys.path.insert(0, "/run/tools/whole")

from switchyard.agent import publish, settings
from switchyard.engine.incus.agent_report import Report
from switchyard.engine.incus.guests import Guests
from switchyard.engine.incus.replicate import Replication
from switchyard.engine.incus.replicate_in_step import bring_into_step
from switchyard.fleet.model import Failover, Server, Size
from switchyard.fleet.model import Replication as Wanted

SIZE = 64


def main(action: str) -> int:
    """On behalf of the node this runs on."""
    known = settings.load()
    clients = known.clients(known.fleet.nodes)
    server = Server("pbx01", Size(1, 64, SIZE), "tiny", replication=Wanted("sync"), failover=Failover("auto"))
    here, backup = known.here, next(iter(known.others()))
    if action == "report":
        pairs = frozenset({("node1", "node2"), ("node2", "node1")})
        publish.publish(known, clients[here], Report(True, True, pairs, in_step=True))
    elif action == "in-step":
        bring_into_step(known.fleet, server, clients[here], clients[backup], print)
    elif action == "protect":
        Guests(known.fleet, clients[here]).set_keys("pbx01", "protect it", {"user.switchyard.pair": f"{here} {backup}"})
    elif action == "unprotect":
        Guests(known.fleet, clients[here]).set_keys("pbx01", "leave it", {"user.switchyard.pair": ""})
    elif action == "unreplicate":
        Replication(known.fleet, clients).unreplicate("pbx01", clients[here], clients[backup])
    elif action == "delete":
        engine = Replication(known.fleet, clients)
        engine.forget("pbx01", here, Guests(known.fleet, clients[here]).need("pbx01", "delete it"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
