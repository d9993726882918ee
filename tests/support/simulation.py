# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder that, given as a second inventory, puts the double in the place of a Proxmox VE cluster.

``-i inventories/proxmox -i FOLDER``: the nodes' addresses, ports and certificates are the double's, the controller's
token is the double's, and nobody is asked whether it serves: guests of the double run no programs. All else is as the
first inventory says.

``python tests/support/simulation.py FOLDER < ABOUT``, where ABOUT is the line that ``python -m double --json`` prints.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

SERVERS = ("virtual_servers", "pbxs", "sip_routers", "databases")
"""Groups of the worked example whose servers have checks."""


def write(folder: Path, about: Mapping[str, Any], groups: Iterable[str] = SERVERS) -> None:
    """Fill the folder. ``about``: ``endpoints`` (node -> URL), ``fingerprint`` and ``token`` of a double."""
    (folder / "pki").mkdir(parents=True, exist_ok=True)
    token = folder / "pki" / "proxmox.token"
    token.touch(mode=0o600)
    token.write_text(f"{about['token']}\n")
    hosts = {
        node: {
            "node_address": "127.0.0.1",
            "node_port": int(url.rpartition(":")[2]),
            "node_fingerprint": about["fingerprint"],
        }
        for node, url in about["endpoints"].items()
    }
    # JSON is YAML.
    (folder / "hosts.yml").write_text(json.dumps({"nodes": {"hosts": hosts}}, indent=1))
    variables = folder / "group_vars"
    variables.mkdir(exist_ok=True)
    everybody = {
        "fleet_pki_dir": str(folder.resolve() / "pki"),
        # Nothing here waits for disks: as much at once as the other end of the line can take.
        "fleet_concurrency": 64,
        "node_concurrency": 16,
        # Nobody can log in to a node that is not there.
        "drain_ha": False,
    }
    (variables / "all.yml").write_text(json.dumps(everybody))
    for group in groups:
        (variables / f"{group}.yml").write_text(json.dumps({"vs_checks": []}))


if __name__ == "__main__":
    write(Path(sys.argv[1]), json.loads(sys.stdin.read()))
