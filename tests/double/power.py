# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting and stopping guests. What is under HA only asks the manager to do it."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from .clock import Wait
from .entries import Guest
from .errors import Refusal
from .guests import PREFIX, kind_of, locked, missing_bridge, missing_disk
from .routes import Call, route
from .tasks import Task

if TYPE_CHECKING:
    from .world import World

START = 3.0  # of a VM
STOP = {"lxc": 3.5, "qemu": 1.9}
SHUTDOWN = {"lxc": 4.0, "qemu": 4.0}


def current(call: Call) -> Guest | None:
    """The guest, if its config is here."""
    guest = call.world.cluster.guests.get(call.vmid)
    return guest if guest and guest.node == call.node and guest.kind == kind_of(call) else None


def turn_on(world: World, guest: Guest, task: Task) -> Generator[Wait, None, None]:
    """Make it run, or say why it does not."""
    guest.check_lock()
    if guest.template:
        raise Refusal(f"you can't start a {'CT' if guest.kind == 'lxc' else 'vm'} if it's a template")
    if guest.running:
        raise Refusal(f"{guest.word} {guest.vmid} already running")
    bridge = missing_bridge(world, guest)
    if bridge:
        raise Refusal(f"bridge '{bridge}' does not exist")
    lost = missing_disk(world, guest)
    if lost:
        raise Refusal(lost)
    if guest.kind == "qemu" and any("cloudinit" in value for value in guest.config.values()):
        task.log("generating cloud-init ISO")
    if guest.kind == "qemu" and guest.config.get("scsihw") != "virtio-scsi-single":
        for _key in [key for key, value in guest.config.items() if key.startswith("scsi") and "iothread=1" in value]:
            task.warn("iothread is only valid with virtio disk or virtio-scsi-single controller, ignoring")
    apply_pending(guest)
    yield world.cluster.booting if guest.kind == "lxc" else START
    machine = world.cluster.nodes[guest.node]
    machine.next_pid += 7
    guest.running, guest.paused = True, False
    guest.since, guest.pid = world.clock.now(), machine.next_pid
    world.cluster.observe(guest)


def turn_off(world: World, guest: Guest) -> None:
    """Make it not run any more."""
    guest.running = guest.paused = False
    apply_pending(guest)
    world.cluster.observe(guest)


def apply_pending(guest: Guest) -> None:
    """What waited for the guest's next start."""
    for key, value in guest.pending.items():
        if value is None:
            guest.config.pop(key, None)
        else:
            guest.config[key] = value
    guest.pending.clear()


def start_task(world: World, guest: Guest, user: str) -> str:
    """A start as a task of its own, as after a create."""
    kind, vmid, node = guest.kind, guest.vmid, guest.node

    def work(task: Task) -> Generator[Wait, None, None]:
        def inside() -> Generator[Wait, None, None]:
            yield from turn_on(world, world.cluster.guest(node, kind, vmid), task)

        yield from locked(world, (node, kind, vmid), task, inside, task.log)

    return world.tasks.begin(node, f"{PREFIX[kind]}start", vmid, user, work)


def ask_manager(call: Call, guest: Guest, state: str) -> str:
    """Let the HA manager start or stop it. The task only passes the wish on."""
    world = call.world
    doing = "start" if state == "started" else "stop"
    sid = world.ha.sid(guest)

    def work(task: Task) -> Generator[Wait, None, None]:
        task.log(f"Requesting HA {doing} for {guest.word} {guest.vmid}")
        yield 1.0
        if world.ha.in_error(sid):
            task.log(f"service '{sid}' in error state, must be disabled and fixed first")
            raise Refusal(f"command 'ha-manager set {sid} --state {state}' failed: exit code 255")
        if not world.cluster.quorate:
            raise Refusal(f"command 'ha-manager set {sid} --state {state}' failed: exit code 255")
        world.ha.set_state(sid, state)

    return world.tasks.begin(call.node, f"ha{doing}", guest.vmid, call.user, work)


def _not_running(call: Call, guest: Guest | None, word: str = "") -> None:
    if guest is None or not guest.running:
        default = "CT" if kind_of(call) == "lxc" else "VM"
        raise Refusal(f"{word or default} {call.vmid} not running")


@route("POST /nodes/{node}/lxc/{vmid}/status/start", "POST /nodes/{node}/qemu/{vmid}/status/start")
def start(call: Call) -> str:
    """Start: of a container that runs this is refused at once, of a VM the task fails."""
    guest, kind = current(call), kind_of(call)
    if kind == "lxc" and guest and guest.running:
        raise Refusal(f"CT {call.vmid} already running")
    call.world.cluster.need_quorum()
    elsewhere = call.world.cluster.guests.get(call.vmid)
    if elsewhere and elsewhere.kind == kind and call.world.ha.managed_now(elsewhere):
        return ask_manager(call, elsewhere, "started")
    vmid, node, world = call.vmid, call.node, call.world

    def work(task: Task) -> Generator[Wait, None, None]:
        def inside() -> Generator[Wait, None, None]:
            yield from turn_on(world, world.cluster.guest(node, kind, vmid), task)

        yield from locked(world, (node, kind, vmid), task, inside, task.log)

    return world.tasks.begin(node, f"{PREFIX[kind]}start", vmid, call.user, work)


@route("POST /nodes/{node}/lxc/{vmid}/status/stop", "POST /nodes/{node}/qemu/{vmid}/status/stop")
def stop(call: Call) -> str:
    """Stop at once."""
    guest, kind = current(call), kind_of(call)
    if kind == "lxc":
        _not_running(call, guest)
    if guest and call.world.ha.managed_now(guest):
        return ask_manager(call, guest, "stopped")
    return _off(call, "stop", 0)


@route("POST /nodes/{node}/lxc/{vmid}/status/shutdown", "POST /nodes/{node}/qemu/{vmid}/status/shutdown")
def shutdown(call: Call) -> str:
    """Ask the guest to stop, for ``timeout`` seconds; ``forceStop`` stops it then."""
    guest, kind = current(call), kind_of(call)
    if kind == "lxc":
        _not_running(call, guest)
    if guest and guest.running and call.world.ha.managed_now(guest):
        return ask_manager(call, guest, "stopped")
    return _off(call, "shutdown", int(call.get("timeout", 60 if kind == "lxc" else 180)))


def _off(call: Call, doing: str, timeout: int) -> str:
    world, node, kind, vmid = call.world, call.node, kind_of(call), call.vmid
    force = bool(call.get("forceStop"))

    def work(task: Task) -> Generator[Wait, None, None]:
        def inside() -> Generator[Wait, None, None]:
            guest = world.cluster.guest(node, kind, vmid)
            guest.check_lock()
            if not guest.running:
                yield 0.1
                return
            if doing == "stop":
                yield STOP[kind]
                turn_off(world, guest)
            else:
                yield from turn_down(world, guest, task, timeout, force)

        yield from locked(world, (node, kind, vmid), task, inside, task.log)

    return world.tasks.begin(node, f"{PREFIX[kind]}{doing}", vmid, call.user, work)


def turn_down(world: World, guest: Guest, task: Task, timeout: int, force: bool) -> Generator[Wait, None, None]:
    """A shutdown the guest hears, or does not hear."""
    if not guest.deaf:
        yield SHUTDOWN[guest.kind]
        if guest.kind == "lxc" and timeout < SHUTDOWN["lxc"]:
            task.log(f"command 'lxc-stop -n {guest.vmid} --nokill --timeout {timeout}' failed: exit code 1")
        turn_off(world, guest)
        return
    if guest.kind == "qemu" and guest.config.get("agent", "0").startswith("1"):
        task.log(f"QEMU Guest Agent is not running - VM {guest.vmid} qga command 'guest-ping' failed - got timeout")
        yield 3.0
    if guest.kind == "lxc":
        task.log(f"command 'lxc-stop -n {guest.vmid} --nokill --timeout {timeout}' failed: received interrupt")
    yield float(timeout)
    if guest.kind == "lxc":
        task.lines[-1] = f"command 'lxc-stop -n {guest.vmid} --nokill --timeout {timeout}' failed: exit code 1"
        yield 10.0
    if force:
        if guest.kind == "qemu":
            task.log("VM still running - terminating now with SIGTERM")
        turn_off(world, guest)
    elif guest.kind == "lxc":
        raise Refusal("container did not stop")
    else:
        raise Refusal("VM quit/powerdown failed - got timeout")


@route("POST /nodes/{node}/lxc/{vmid}/status/reboot", "POST /nodes/{node}/qemu/{vmid}/status/reboot")
def reboot(call: Call) -> str:
    """Shut down, then start; pending changes take effect."""
    guest, kind, world = current(call), kind_of(call), call.world
    _not_running(call, guest, "VM")
    node, vmid, timeout = call.node, call.vmid, int(call.get("timeout", 60 if kind == "lxc" else 180))

    def work(task: Task) -> Generator[Wait, None, None]:
        def inside() -> Generator[Wait, None, None]:
            here = world.cluster.guest(node, kind, vmid)
            here.check_lock()
            yield from turn_down(world, here, task, timeout, False)
            yield from turn_on(world, here, task)

        yield from locked(world, (node, kind, vmid), task, inside, task.log)

    return world.tasks.begin(node, f"{PREFIX[kind]}reboot", vmid, call.user, work)


@route("POST /nodes/{node}/qemu/{vmid}/status/reset")
def reset(call: Call) -> str:
    """Press the button."""
    return _quick(call, "reset", lambda guest: None)


@route("POST /nodes/{node}/qemu/{vmid}/status/suspend")
def suspend(call: Call) -> str:
    """Halt it where it is."""
    return _quick(call, "pause", lambda guest: setattr(guest, "paused", True))


@route("POST /nodes/{node}/qemu/{vmid}/status/resume")
def resume(call: Call) -> str:
    """Let it go on."""
    return _quick(call, "resume", lambda guest: setattr(guest, "paused", False))


def _quick(call: Call, doing: str, change) -> str:  # type: ignore[no-untyped-def]
    world, node, vmid = call.world, call.node, call.vmid

    def work(task: Task) -> Generator[Wait, None, None]:
        yield 0.1
        guest = world.cluster.guest(node, "qemu", vmid)
        if not guest.running:
            raise Refusal(f"VM {vmid} not running")
        change(guest)
        world.cluster.observe(guest)

    return world.tasks.begin(node, f"qm{doing}", vmid, call.user, work)
