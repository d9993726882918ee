# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster bench NAME=proxmox works on: the double in a process of its own, or a real one."""

from __future__ import annotations

import hashlib
import json
import os
import re
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
_SIDE_BY_SIDE = 8


@dataclass
class Cluster:
    """Where it listens, who we are there, and what guests are made on."""

    nodes: Mapping[str, tuple[str, int]]
    """Name -> address and port."""
    certificates: Mapping[str, str]
    """Name -> PEM."""
    token: str = field(repr=False)
    """user@realm!name=secret."""
    process: subprocess.Popen[str] | None = None
    """The double's, where it is one."""

    def close(self) -> None:
        """End the double."""
        if self.process:
            self.process.terminate()
            self.process.wait()

    @property
    def fingerprints(self) -> dict[str, str]:
        """Node -> SHA-256 of its certificate."""
        return {
            name: hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest() for name, pem in self.certificates.items()
        }

    # ---- what it costs, and what was asked

    def cpu(self) -> float:
        """CPU seconds of the double so far; 0 of a real cluster."""
        if self.process is None:
            return 0.0
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def calls(self) -> int | None:
        """Requests it has answered so far; a real cluster does not count them."""
        if self.process is None:
            return None
        return sum(self._open("GET", "/double")["calls"].values())

    # ---- guests

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One request, and the end of its task."""
        answer = self._open(method, f"/api2/json{path}", body)
        if isinstance(answer, str) and answer.startswith("UPID:"):
            node = answer.split(":")[1]
            while self._open("GET", f"/api2/json/nodes/{node}/tasks/{answer}/status")["status"] == "running":
                time.sleep(0.5)
        return answer

    def clear(self, fleet: str, tag: str, vmids: range) -> None:
        """Remove what the bench made: guests with its fleet's mark, and those with its tag in its range of numbers."""
        rows = self.ask("GET", "/cluster/resources?type=vm")
        meant = [row for row in rows if row["type"] == "lxc" and _ours(row, fleet, tag, vmids)]
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
            list(pool.map(self._remove, meant))

    def _remove(self, row: Mapping[str, Any]) -> None:
        path = f"/nodes/{row['node']}/lxc/{row['vmid']}"
        if row["status"] == "running":
            self.ask("POST", f"{path}/status/stop")
        self.ask("DELETE", path)

    def _open(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        node, (address, port) = next(iter(self.nodes.items()))
        # This certificate and no other, whatever name is in it.
        context = ssl.create_default_context(cadata=self.certificates[node])
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        request = urllib.request.Request(
            f"https://{address}:{port}{path}",
            data=json.dumps(dict(body or {})).encode() if method == "POST" else None,
            headers={"Authorization": f"PVEAPIToken={self.token}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, context=context, timeout=120) as answer:
            return json.load(answer)["data"]


def double(nodes: int, options: Mapping[str, float]) -> Cluster:
    """A new, empty cluster of the double. ``options`` are those of its command line."""
    command = [sys.executable, "-m", "double", "--nodes", str(nodes), "--port", "0", "--json"]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    process = subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    about = json.loads(process.stdout.readline())
    places = {name: ("127.0.0.1", int(url.rpartition(":")[2])) for name, url in about["endpoints"].items()}
    return Cluster(places, _certificates(places), about["token"], process)


def real(nodes: Iterable[str], port: int, token_file: str) -> Cluster:
    """A cluster that exists: ``NAME=ADDRESS`` of each of its nodes. Their certificates are trusted as they are now."""
    places = {name: (address, port) for name, _is, address in (each.partition("=") for each in nodes)}
    if not places or not all(address for address, _port in places.values()):
        raise SystemExit("NODES: a list of NAME=ADDRESS, divided by commas, is needed with HOST")
    return Cluster(places, _certificates(places), Path(token_file).read_text().strip())


def _certificates(places: Mapping[str, tuple[str, int]]) -> dict[str, str]:
    return {name: ssl.get_server_certificate(place) for name, place in places.items()}


def _ours(row: Mapping[str, Any], fleet: str, tag: str, vmids: range) -> bool:
    tags = re.split(r"[;, ]", str(row.get("tags") or ""))
    return f"sy+fleet+{fleet}" in tags or (tag in tags and row["vmid"] in vmids)
