# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server's disk in step on two nodes: what this node does with its side of it.

Which copy is the server is said by the marks on the copies, as for every other server; this brings DRBD's device to
what they say, and refuses where DRBD or the cluster's record knows better. Nothing here is done by a timer but what
cannot do harm: a device is written to without the other node only where the cluster has had the servers started here.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from ..drbd import store
from ..drbd.device import Device
from ..drbd.resource import Resource, Side, numbers
from ..engine.base import EngineError, Refused
from ..engine.incus import safekeeping
from ..engine.incus.guest import root_of
from ..engine.incus.guests import Found
from . import alone
from .settings import Settings

POOLS = Path("/var/lib/incus/storage-pools")
_FOLDERS = {"container": "containers", "virtual-machine": "virtual-machines"}
_GREETING = 8.0
"""Seconds two nodes' devices may take to find each other."""
_TRIES = 3
"""How often a device is tried to be written to, while the other node falls silent on the way."""
_IN_STEP = 5.0
"""Seconds a node that was only just told to let go may take to have brought the last writes over."""


def is_in_step(found: Found) -> bool:
    """Whether a copy's disk is DRBD's."""
    return bool(found.config.get(safekeeping.SYNC))


def place_of(raw: Mapping[str, object]) -> str:
    """Where Incus has a guest's disk, on pools of the driver dir."""
    pool = root_of(dict(raw))[1].get("pool", "default")
    folder = _FOLDERS[str(raw.get("type", "container"))]
    return str(POOLS / pool / folder / str(raw["name"]))


def resource(settings: Settings, name: str, config: Mapping[str, str], below: str) -> Resource:
    """A server's resource as this node has it. Raises Refused where its mark does not say, or this node has no such
    disks."""
    attempt = f"see what the disk of {name} is"
    disks = settings.disks
    if disks is None:
        hint = "declare node_sync_disks on the node, and run the site playbook"
        raise Refused(settings.here, attempt, "this node has no place for disks in step", hint)
    of = numbers(config.get(safekeeping.SYNC, ""))
    others = [node for node in of if node != settings.here]
    if settings.here not in of or len(others) != 1:
        raise Refused(settings.here, attempt, f"its mark does not say: {config.get(safekeeping.SYNC, '')!r}")
    other = others[0]
    if other not in disks.addresses or settings.here not in disks.addresses:
        words = f"nobody told this node where {other} is"
        raise Refused(settings.here, attempt, words, "run the site playbook on all nodes")
    return Resource(
        name,
        (
            Side(settings.here, disks.addresses[settings.here], of[settings.here], below),
            # The other's disk is its own business; DRBD wants a word there.
            Side(other, disks.addresses[other], of[other], "/dev/null"),
        ),
        disks.secret,
    )


class Mirror:
    """One server's disk, on this node."""

    def __init__(self, settings: Settings, name: str, config: Mapping[str, str]) -> None:
        self._settings = settings
        self.name = name
        self._size = int(safekeeping.number(config.get(safekeeping.SYNC_SIZE, "")))
        self._resource = resource(settings, name, config, "/dev/null")
        self._store = store.Store(settings.here, settings.disks.place if settings.disks else "")
        self.device = Device(self._resource)

    @property
    def other(self) -> str:
        """The node that has the other side."""
        return self._resource.sides[1].node

    @property
    def there(self) -> bool:
        """Whether this node has a disk for it."""
        return self._store.exists(self._resource.name)

    def up(self, *, make: bool) -> None:
        """The device is there. ``make``: with a new, empty disk below where there is none."""
        name = self._resource.name
        if not self.there:
            if not make or not self._size:
                raise Refused(
                    self._settings.here,
                    f"bring up the disk of {self.name}",
                    "this node never had it",
                    "see its replicas",
                )
            self._store.make(name, store.needed(self._size))
        here, there = self._resource.sides
        below = Side(here.node, here.address, here.number, self._store.attach(name))
        self._resource = Resource(self.name, (below, there), self._resource.secret)
        self.device = Device(self._resource)
        self.device.up()

    def take(self, place: str) -> None:
        """Written to here, whether or not the other node is heard, and mounted. The cluster has seen to it that the
        server runs nowhere else. Raises EngineError, and changes nothing, where the other node has newer writes."""
        attempt = f"take the disk of {self.name}"
        self.up(make=False)
        for again in range(_TRIES):
            if self.device.status().role == "Primary":
                break
            heard = self._judge(attempt)
            try:
                # Without hands on: DRBD asks fence-peer, which has to get its turn.
                self.device.primary()
            except EngineError:
                # A node that has just died is heard until somebody asks it something: without it, another judgement.
                if again == _TRIES - 1 or not heard or self.device.status().connected:
                    raise
        self.device.mount(place)

    def _judge(self, attempt: str) -> bool:
        """Raise Refused unless what is here is all that was acknowledged; whether the other node is heard. Where it is
        not, the cluster has it recorded afterwards that this one goes on alone.
        """
        self.device.connect()
        now = self.device.wait("connected", _GREETING if now_waits(self.device) else 0.0)
        if now.connected:
            # The last writes of a server that was stopped in order, or of one whose other side is being brought up.
            now = self.device.wait("in_step", _IN_STEP)
        with alone.hands_on(self.name):
            claimed = alone.read().get(self.name, "")
            if claimed not in ("", self._settings.here) and not now.in_step:
                words = f"{claimed} went on alone with it, and has writes that are not here ({now.words})"
                raise Refused(self._settings.here, attempt, words, f"bring {claimed} up; they are brought over then")
            if now.disk not in ("UpToDate", "Consistent") and not now.in_step:
                words = f"what is here is not all that was acknowledged ({now.words})"
                raise Refused(self._settings.here, attempt, words, f"bring {self.other} up; it is brought over then")
            if not now.connected:
                alone.claim(self.name, self._settings.here)
        return now.connected

    def let_go(self) -> None:
        """Unmounted, and not written to here any more; nothing where there is no device."""
        if self.there and self.device.status().exists:
            self.device.secondary()

    def tend_primary(self) -> str:
        """What is to be seen to while the server is here; what there is to tell."""
        now = self.device.status()
        if now.role != "Primary":
            return ""
        with alone.hands_on(self.name):
            now = self.device.status()
            claimed = alone.read().get(self.name, "")
            if now.in_step:
                if claimed:
                    alone.write({self.name: ""})
                return ""
            if now.suspended and not now.connected and claimed in ("", self._settings.here):
                # The cluster could not be told when it was lost.
                alone.claim(self.name, self._settings.here)
                self.device.resume()
        if now.connection == "StandAlone":
            self.device.connect()
        return f"not in step: {now.words}"

    def follow(self) -> bool:
        """This node only keeps what the other one writes; whether it has all of it. Of two sides that were both written
        to, this one is put aside, whole, and begins anew."""
        self.up(make=True)
        now = self.device.status()
        if now.role == "Primary":
            self.device.secondary()
        if now.connection == "StandAlone":
            self._begin_anew()
        return self.device.status().in_step

    def _begin_anew(self) -> None:
        """Both were written to, or they would have gone on by themselves: tried once more first."""
        self.device.connect()
        now = self.device.wait("connected", _GREETING)
        if now.connected or now.connection != "StandAlone":
            return
        claimed = alone.read().get(self.name, "")
        if claimed != self.other:
            words = f"both sides were written to, and the cluster does not say that {self.other} is right ({now.words})"
            raise Refused(self._settings.here, f"follow {self.other} with the disk of {self.name}", words)
        self._store.keep(self._resource.name, time.time())
        self.device.connect(discard=True)

    def forget(self) -> None:
        """No device, no disk."""
        if self.there:
            self.let_go()
        self.device.down()
        self._store.remove(self._resource.name)


def lacking(settings: Settings, name: str, config: Mapping[str, str]) -> str:
    """What this node's side lacks, in words; empty: both have everything. Reads, and changes nothing."""
    device = Device(resource(settings, name, config, "/dev/null"))
    now = device.status()
    return "" if now.in_step else now.words


def now_waits(device: Device) -> bool:
    """Whether a device is looking for its other side."""
    return device.status().connection in ("WFConnection", "WFReportParams", "Unconnected")


def mirrors(settings: Settings, found: Mapping[str, Found]) -> tuple[dict[str, Mirror], dict[str, str]]:
    """Those of a node's servers, by name; and what is wrong with the marks of others."""
    made: dict[str, Mirror] = {}
    wrong: dict[str, str] = {}
    for name, copy in found.items():
        if not is_in_step(copy):
            continue
        try:
            made[name] = Mirror(settings, name, copy.config)
        except EngineError as error:
            wrong[name] = error.answer
    return made, wrong
