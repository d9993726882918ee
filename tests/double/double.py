# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The double as tests use it: ``with Double(nodes=3) as double: ...``, over the network or without."""

from __future__ import annotations

import ssl
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .access import ROOT, Token
from .certificate import make
from .clock import Clock
from .entries import Guest, Storage
from .faults import Faults
from .server import Door
from .sizes import parse_size
from .world import Answer, Credentials, World


class Double:
    """A cluster of ``nodes`` nodes.

    ``latency``: how long things take, as a share of what they take on a real cluster (0.01: a hundredth).
    ``manual``: time stands still and is moved by hand (:meth:`advance`, :meth:`ask` as far as an answer needs).
    ``listen``: serve on 127.0.0.1, a port for each node (``port`` and the following, or any where it is 0).
    """

    def __init__(
        self,
        nodes: int = 3,
        *,
        version: str = "9.1",
        latency: float = 0.01,
        port: int = 0,
        tls: bool = False,
        listen: bool = True,
        manual: float | None = None,
        name: str = "double",
        password: str = "double",
        staleness: float = 1.0,
    ) -> None:
        self.world = World(nodes, version, Clock(manual, latency), name, staleness)
        self.world.access.users[ROOT].password = password
        self.password = password
        self.world.access.users[ROOT].tokens["double"] = Token(f"{0x5EC2E7:08x}-0000-4000-8000-000000000000", privsep=0)
        self.scheme = "https" if tls else "http"
        self.fingerprint = ""
        self.certificate: Path | None = None
        self._port, self._listen, self._tls = port, listen, tls
        self._ready = threading.Condition()
        self._stopped = threading.Event()
        self._doors: dict[str, Door] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    # ---------------------------------------------------------------- life

    def __enter__(self) -> Double:
        if self._listen:
            self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Serve."""
        context = None
        if self._tls:
            self._folder = tempfile.TemporaryDirectory(prefix="double-")
            context, self.fingerprint, self.certificate = make(Path(self._folder.name))
            self.world.fingerprint = self.fingerprint
        for number, node in enumerate(self.world.cluster.nodes):
            self._open(node, self._port + number if self._port else 0, context)
        self.world.node_changed = self._node_changed
        self._stopped.clear()
        threading.Thread(target=self._tick, daemon=True).start()

    def _tick(self) -> None:
        """Let things happen while nobody asks."""
        while not self._stopped.wait(0.05):
            with self._ready:
                self.world.clock.catch_up()
                self._ready.notify_all()

    def _open(self, node: str, port: int, context: ssl.SSLContext | None) -> None:
        door = self._doors[node] = Door(("127.0.0.1", port), node, self.world, self._ready)
        door.tls = context
        threading.Thread(target=door.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def _node_changed(self, name: str) -> None:
        """A dead node refuses connections, unless it is deaf: then they hang."""
        node, door = self.world.cluster.nodes[name], self._doors[name]
        closed = door.socket.fileno() < 0
        if node.online and closed:
            self._open(name, int(door.server_address[1]), door.tls)
        elif not node.online and not node.deaf and not closed:
            door.shutdown()
            door.server_close()

    @staticmethod
    def _close(door: Door) -> None:
        if door.socket.fileno() >= 0:
            door.shutdown()
            door.server_close()

    def stop(self) -> None:
        """Serve no more."""
        self._stopped.set()
        self.world.node_changed = lambda _node: None
        # Side by side: each is a moment until its thread notices.
        closing = [threading.Thread(target=self._close, args=(door,)) for door in self._doors.values()]
        for each in closing:
            each.start()
        for each in closing:
            each.join()
        self._doors.clear()
        if self._folder:
            self._folder.cleanup()

    # ---------------------------------------------------------------- addresses

    @property
    def endpoints(self) -> dict[str, str]:
        """Each node's address: ``http://127.0.0.1:8006``."""
        return {node: f"{self.scheme}://127.0.0.1:{door.server_address[1]}" for node, door in self._doors.items()}

    @property
    def ports(self) -> list[int]:
        """Each node's port."""
        return [int(door.server_address[1]) for door in self._doors.values()]

    @property
    def token(self) -> str:
        """A token that may everything: ``root@pam!double=…``, as the Authorization header has it after PVEAPIToken=."""
        return f"{ROOT}!double={self.world.access.users[ROOT].tokens['double'].secret}"

    @property
    def faults(self) -> Faults:
        """What goes wrong. Over the network the same is at /double."""
        return self.world.faults

    # ---------------------------------------------------------------- without a network

    def ask(self, method: str, path: str, /, *, via: str = "", who: Credentials | str = ROOT, **params: Any) -> Answer:
        """One request, answered; a clock moved by hand goes on as far as that needs."""
        return self.send(method, path, params, via, who)

    def send(
        self, method: str, path: str, params: dict[str, Any] | None = None, via: str = "", who: Credentials | str = ROOT
    ) -> Answer:
        """The same, for parameters with dashes in their names."""
        with self._ready:
            process = self.world.request(method, path, params, via, who)
            self._until(lambda: process.done)
        if process.error:
            raise process.error
        answer: Answer = process.result
        return answer

    def wait(self, upid: str) -> str:
        """How a task ended, once it has."""
        task = self.world.tasks.all[upid]
        with self._ready:
            self._until(lambda: bool(task.status))
        return task.status

    def settle(self) -> None:
        """Until no task runs any more."""
        with self._ready:
            self._until(lambda: all(task.status for task in self.world.tasks.all.values()))

    def advance(self, seconds: float) -> None:
        """Let time pass: by hand, or by waiting."""
        if self.world.clock.manual:
            self.world.clock.advance(seconds)
            return
        time.sleep(seconds * self.world.clock.latency)
        with self._ready:
            self.world.clock.catch_up()

    def _until(self, true: Callable[[], bool]) -> None:
        clock = self.world.clock
        clock.catch_up()
        while not true():
            due = clock.next_due()
            assert due is not None, "nothing will happen any more"
            if clock.manual:
                clock.advance(max(0.0, due - clock.now()))
            else:
                self._ready.wait(max(0.0, min(due - clock.now(), 1.0)))
                clock.catch_up()
                self._ready.notify_all()

    # ---------------------------------------------------------------- what is there already

    def add_guest(
        self,
        vmid: int,
        node: str = "pve1",
        kind: str = "lxc",
        running: bool = False,
        disk: str = "local-zfs:1",
        **config: Any,
    ) -> Guest:
        """A guest that exists, without anybody having created it through the API."""
        cluster = self.world.cluster
        written = {key.replace("__", "-"): str(value) for key, value in config.items()}
        name = written.pop("name", f"{'ct' if kind == 'lxc' else 'vm'}{vmid}")
        head = {
            "memory": "64" if kind == "lxc" else "128",
            "cores": "1",
            ("hostname" if kind == "lxc" else "name"): name,
        }
        if kind == "lxc":
            head |= {"arch": "amd64", "ostype": "alpine", "swap": "0", "unprivileged": "1"}
            head["net0"] = f"name=eth0,bridge=vmbr0,hwaddr={cluster.mac()},ip=10.66.0.{vmid % 200 + 20}/24,type=veth"
        guest = Guest(
            vmid, kind, node, {**head, **written}, running=running, since=self.world.clock.now() - 100, pid=vmid
        )
        cluster.guests[vmid] = guest
        storage, _colon, size = disk.partition(":")
        size, _slash, form = size.partition("/")
        if storage:
            volid = cluster.new_disk(
                cluster.storages[storage], vmid, node, kind=kind, size=parse_size(f"{size}G"), form=form
            )
            guest.config["rootfs" if kind == "lxc" else "scsi0"] = f"{volid},size={size}G"
        guest.seen.append((0.0, {"running": running, "paused": False, "since": guest.since, "node": node, "pid": vmid,
                                 "config": dict(guest.config)}))  # fmt: skip
        return guest

    def add_storage(
        self, name: str, kind: str = "dir", content: str = "images,rootdir", nodes: str = "", shared: bool = False
    ) -> Storage:
        """A storage that exists."""
        storage = Storage(
            name,
            kind,
            content.split(","),
            shared,
            [n for n in nodes.split(",") if n],
            {"pool": f"rpool/{name}"} if kind == "zfspool" else {"path": f"/mnt/{name}"},
        )
        self.world.cluster.storages[name] = storage
        return storage
