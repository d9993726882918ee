# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Independent Incus servers, spoken to with the controller's own certificate."""

from __future__ import annotations

import hashlib
import json
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import urllib3
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import EngineError
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.client import (
    Client,
    Identity,
    Missing,
    client_context,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.operation import (
    MIGRATION,
    cancel,
    settle,
    wait,
)
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.trace import Trace
from ansible_collections.switchyard.fleet.plugins.module_utils.fleet.model import Limits, Node, Template

from .bed import Bed
from .platform import FLEET, WHY


class Incus:
    """Independent Incus servers, spoken to with the controller's own certificate."""

    lacks: ClassVar[Mapping[str, str]] = {}
    identity: ClassVar[tuple[str, ...]] = ("controller.crt", "controller.key")
    # Offer, copy, mark, stop, offer, copy, promote, start, delete.
    writes: ClassVar[int] = 9
    promotes: ClassVar[int] = 7

    def __init__(self, bed: Bed) -> None:
        self.bed = bed
        pki = Path(bed.pki)
        context = client_context(str(pki / "controller.crt"), str(pki / "controller.key"))
        self._context = context
        self._played: set[str] = set()
        """Nodes that bear an agent's report which no agent wrote."""
        self.clients = {}
        for name, node in bed.nodes.items():
            pem = (pki / "nodes" / f"{name}.crt").read_text()
            identity = Identity(_fingerprint(pem), pem)
            self.clients[name] = Client(
                name, node.address, node.port, identity=identity, context=context, limits=Limits(), trace=Trace()
            )

    def change(self, node: str, method: str, path: str, body: Any = None) -> Any:
        """A request, and the end of what it began."""
        answer = self.clients[node].send(method, path, WHY, body)
        return wait(self.clients[node], answer.operation, WHY, 120) if answer.operation else answer.metadata

    def get(self, node: str, path: str) -> Any:
        return self.clients[node].get(path, WHY).metadata

    def stranger(self, node: str, name: str, *, cores: int = 1, memory: int = 64, address: str = "") -> None:
        """A guest nobody marked."""
        config = {"limits.cpu": str(cores), "limits.memory": f"{memory}MiB"}
        if address:
            gateway = f"{address.rpartition('.')[0]}.1"
            card = f"    addresses: [{address}/24]\n    gateway4: {gateway}\n"
            config["cloud-init.network-config"] = f"version: 2\nethernets:\n  eth0:\n{card}"
        body = {
            "name": name,
            "source": {"type": "none"},
            "profiles": [],
            "config": config,
            "devices": {"root": {"type": "disk", "path": "/", "pool": "default"}},
        }
        self.change(node, "POST", "/1.0/instances", body)

    def guest(self, node: str, name: str) -> dict[str, Any] | None:
        """All there is to know of a guest."""
        try:
            found: dict[str, Any] = self.get(node, f"/1.0/instances/{name}")
        except Missing:
            return None
        keys = ("volatile.uuid", "volatile.cloud-init.instance-id", "volatile.base_image", "limits.memory")
        config = {key: found["config"].get(key) for key in (*keys, "boot.autostart")}
        return {**found, "same": {"devices": found["devices"], **config}}

    def running(self, name: str) -> tuple[str, ...]:
        """Nodes a server runs on; of a node whose daemon is down what it ran is seen again once it is up."""

        def runs(node: str) -> bool:
            try:
                return (self.guest(node, name) or {}).get("status") == "Running"
            except EngineError:
                return False

        return tuple(filter(runs, sorted(self.bed.nodes)))

    def settle(self) -> None:
        """What goes on by itself is a part of what is tested here."""

    def names(self, node: str) -> set[str]:
        return {raw["name"] for raw in self.get(node, "/1.0/instances?recursion=1")}

    def hardware(self, node: str, name: str) -> set[str]:
        """Hardware addresses of a guest's cards."""
        raw = self.guest(node, name) or {}
        noted = {value for key, value in raw["config"].items() if key.endswith(".hwaddr")}
        return noted | {device["hwaddr"] for device in raw["devices"].values() if "hwaddr" in device}

    def freeze(self, node: str, name: str) -> None:
        """The guest's processes stand still."""
        self.change(node, "PUT", f"/1.0/instances/{name}/state", {"action": "freeze"})

    def write(self, node: str, name: str, path: str, text: str, owner: int = 0) -> None:
        """A file in a guest, whether it runs or not."""
        url = f"/1.0/instances/{name}/files?path={path}"
        headers = {"X-Incus-type": "file", "X-Incus-mode": "0644", "X-Incus-uid": str(owner)}
        response = self._pool(node).request("POST", url, body=text.encode(), headers=headers)
        assert response.status == 200, response.data

    def read(self, node: str, name: str, path: str) -> str:
        """What a file in a guest says; empty if it is not there."""
        response = self._pool(node).request("GET", f"/1.0/instances/{name}/files?path={path}")
        assert response.status in (200, 404), response.data
        return response.data.decode() if response.status == 200 else ""

    def owner(self, node: str, name: str, path: str) -> int:
        """Whose a file in a guest is, as seen in there."""
        response = self._pool(node).request("GET", f"/1.0/instances/{name}/files?path={path}")
        assert response.status == 200, response.data
        return int(response.headers["X-Incus-uid"])

    def mark(self, node: str, name: str, **marks: str) -> None:
        """Marks of ours that somebody else wrote."""
        config = {f"user.switchyard.{key}": value for key, value in marks.items()}
        self.change(node, "PATCH", f"/1.0/instances/{name}", {"config": config})

    def leftovers(self, node: str, name: str) -> list[str]:
        """Backups of a guest, in the books and on the node's disk."""
        listed = [each["name"] for each in self.get(node, f"/1.0/instances/{name}/backups?recursion=1")]
        if node in self.bed.shell:
            find = ["find /var/lib/incus/backups -type f"]
            done = subprocess.run([*self.bed.shell[node], *find], check=True, capture_output=True, text=True)
            files = {Path(each).name for each in done.stdout.split()}
            assert files == set(listed), files
        return listed

    @contextmanager
    def full_backups(self, node: str) -> Iterator[None]:
        """Room for 300 KiB where the node packs backups."""
        if node not in self.bed.shell:
            pytest.skip("needs a shell on the node")
        where = "/var/lib/incus/backups/instances"
        subprocess.run([*self.bed.shell[node], f"mount -t tmpfs -o size=300k none {where}"], check=True)
        try:
            yield
        finally:
            subprocess.run([*self.bed.shell[node], f"umount {where}"], check=True)

    def snapshot(self, node: str, name: str, snapshot: str) -> None:
        """The guest as it is now, kept."""
        self.change(node, "POST", f"/1.0/instances/{name}/snapshots", {"name": snapshot})

    def snapshots(self, node: str, name: str) -> list[str]:
        """Names of what was kept."""
        return [str(each).rpartition("/")[2] for each in self.get(node, f"/1.0/instances/{name}/snapshots")]

    def tie(self, node: str, name: str) -> None:
        """Give a guest a directory of its node, under the name ``data``."""
        raw = self.guest(node, name) or {}
        disk = {"type": "disk", "source": "/var/tmp", "path": "/mnt"}
        self.change(node, "PATCH", f"/1.0/instances/{name}", {"devices": {**raw["devices"], "data": disk}})

    def power(self, node: str, name: str, action: str) -> None:
        """Start or stop a guest, as somebody at the console does."""
        self.change(node, "PUT", f"/1.0/instances/{name}/state", {"action": action, "force": action == "stop"})

    def _pool(self, node: str) -> urllib3.HTTPSConnectionPool:
        """The client speaks JSON only; images and files are bodies of their own."""
        client = self.clients[node]
        return urllib3.HTTPSConnectionPool(
            client.address,
            client.port,
            ssl_context=self._context,
            assert_hostname=False,
            assert_fingerprint=client.identity.fingerprint,
        )

    def image(self, node: str, template: Template, content: bytes) -> None:
        """An image under a template's name, unless it is there."""
        alias = f"switchyard/{template.name}/{template.version}"
        try:
            self.get(node, f"/1.0/images/aliases/{alias}")
            return
        except Missing:
            pass
        headers = {"Content-Type": "application/octet-stream", "X-Incus-filename": f"{template.name}.tar.gz"}
        response = self._pool(node).request("POST", "/1.0/images", body=content, headers=headers)
        assert response.status == 202, response.data
        done = wait(self.clients[node], json.loads(response.data)["operation"], WHY, 120)
        self.change(node, "POST", "/1.0/images/aliases", {"name": alias, "target": done["fingerprint"]})

    def drop_image(self, node: str, template: Template) -> None:
        alias = f"switchyard/{template.name}/{template.version}"
        for image in self.get(node, "/1.0/images?recursion=1"):
            if any(each["name"] == alias for each in image["aliases"]):
                self.change(node, "DELETE", f"/1.0/images/{image['fingerprint']}")

    def pool(self, node: str, name: str, path: str) -> None:
        """A storage pool in a directory of the node."""
        self.change(node, "POST", "/1.0/storage-pools", {"name": name, "driver": "dir", "config": {"source": path}})

    def drop_pool(self, node: str, name: str) -> None:
        self.clean()
        self.change(node, "DELETE", f"/1.0/storage-pools/{name}")

    def dead(self, *nodes: str) -> dict[str, Node]:
        """These nodes for a fleet that cannot reach them."""
        return {node: replace(self.bed.nodes[node], address="127.0.0.1", port=9) for node in nodes}

    def crash(self, node: str) -> None:
        """The daemon of a node dies."""
        if node not in self.bed.crash:
            pytest.skip("the servers given cannot be crashed by tests")
        subprocess.run(self.bed.crash[node], check=True)

    def revive(self, node: str) -> None:
        """The daemon is there again."""
        subprocess.run(self.bed.revive[node], check=True, timeout=60)

    def power_cut(self, node: str, *guests: str) -> None:
        """The daemon dies, and these guests with it."""
        processes = [self.get(node, f"/1.0/instances/{name}/state")["pid"] for name in guests]
        self.crash(node)
        for process in processes:
            subprocess.run([*self.bed.shell[node], f"kill -9 {process}"], check=True)

    def impostor(self, pki: Path) -> None:
        """Files of a controller no node knows."""
        new_key = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=nobody"
        files = ["-keyout", str(pki / "controller.key"), "-out", str(pki / "controller.crt")]
        subprocess.run([*new_key.split(), *files], check=True, capture_output=True)

    def slow(self) -> None:
        """What is heavy takes its time here by itself."""

    def agents(self) -> None:
        """Nodes that refresh replicas by themselves, as far as the engine is told. Where no agent is, nobody refreshes:
        the first copy is the engine's own work. What a cluster does is tested in tests/lab/failover."""
        key = f"user.switchyard.agent.{FLEET}"
        for node in self.bed.nodes:
            if not self.get(node, "/1.0")["config"].get(key):
                self.report(node, {"replicates": True})

    def report(self, node: str, what: Mapping[str, Any] | None) -> None:
        """What an agent on the node would publish; None: there is none."""
        key = f"user.switchyard.agent.{FLEET}"
        self._played.add(node)
        self.clients[node].send("PATCH", "/1.0", WHY, {"config": {key: json.dumps(what) if what else ""}})

    def clean(self, *, images: bool = False) -> None:
        """No trace of any test."""
        for node in list(self._played):
            self.report(node, None)
        self._played.clear()
        for node, client in self.clients.items():
            for raw in self.get(node, "/1.0/instances?recursion=1"):
                ours = raw["config"].get("user.switchyard.fleet", "").startswith(FLEET)
                if ours or raw["name"].startswith(FLEET):
                    self._remove(node, raw)
            for profile in self.get(node, "/1.0/profiles?recursion=1"):
                if profile["name"].startswith(f"switchyard-lock-{FLEET}"):
                    self.change(node, "DELETE", f"/1.0/profiles/{profile['name']}")
            stale = [
                key for key in self.get(node, "/1.0")["config"] if key.startswith(f"user.switchyard.ledger.{FLEET}")
            ]
            if stale:
                client.send("PATCH", "/1.0", WHY, {"config": dict.fromkeys(stale, "")})
            if images:
                for image in self.get(node, "/1.0/images?recursion=1"):
                    if any(each["name"].startswith(f"switchyard/{FLEET}") for each in image["aliases"]):
                        self.change(node, "DELETE", f"/1.0/images/{image['fingerprint']}")

    def _remove(self, node: str, raw: dict[str, Any]) -> None:
        path = f"/1.0/instances/{raw['name']}"
        # What was offered to somebody who never came is kept for half a minute.
        cancel(self.clients[node], path, WHY, MIGRATION)
        settle(self.clients[node], path, WHY, 60)
        raw = self.guest(node, raw["name"]) or {}
        if not raw:
            return
        if raw["status"] != "Stopped":
            self.change(node, "PUT", f"{path}/state", {"action": "stop", "force": True})
        self.change(node, "DELETE", path)


def _fingerprint(pem: str) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
