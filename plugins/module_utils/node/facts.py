# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node is, as far as the node role must know: read-only, from /proc, /sys and a few commands.

Memory and disk are MiB.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import platform
import re
import shutil
import socket
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .apt_sources import Source, mirror_of, offers, read_deb822, read_list
from .incus_socket import SOCKET

INCUS_CERTIFICATE = Path("/var/lib/incus/server.crt")
STORAGE = Path("/var/lib/incus")
NESTED_START = 1000000
"""Where the ids of nested servers begin, as Incus' own packages have it."""
ALL_IDS = 4294967295


@dataclass(frozen=True, slots=True)
class Bridge:
    """A bridge of the node; ``exists`` is false where nothing, or no bridge, has the name."""

    name: str
    exists: bool = False
    up: bool = False
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """One node."""

    root: bool
    architecture: str
    cores: int
    memory: int
    distribution: str
    version: str
    codename: str
    hostname: str
    hostname_addresses: tuple[str, ...]
    disk_free: int
    storage_path: str
    listeners: tuple[str, ...]
    """Programs on the engine's port, the engine itself left out."""
    bridge: Bridge
    device: str
    """Network device that carries the node's address; empty: none does."""
    commands: frozenset[str]
    missing_sources: tuple[str, ...] = ()
    """Sources of storage pools yet to be made that do not exist."""
    packages: tuple[str, ...] = ()
    """Packages that are wholly installed, of those asked for."""
    dpkg_interrupted: bool = False
    pools: tuple[str, ...] = ()
    """Storage pools Incus has already."""
    ids: int = ALL_IDS
    """User ids the node has for itself and all it nests; a container has fewer than a machine."""
    id_ranges_fit: bool = True
    backports_offered: bool = True
    mirror: Source | None = None
    engine_answers: bool = False
    """Whether anybody is behind Incus' own socket."""
    certificate: str = ""
    """The engine's certificate, PEM; empty: no engine yet."""


def run(*command: str) -> str:
    """Standard output; empty where the command fails or does not exist."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def read(path: Path) -> str:
    """A file's text; empty where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def fingerprint(certificate: str) -> str:
    """SHA-256 of a PEM certificate, lower-case hex; empty where it is none."""
    try:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.strip())).hexdigest()
    except ValueError:
        return ""


def os_release() -> dict[str, str]:
    """/etc/os-release as a dictionary."""
    lines = (line.split("=", 1) for line in read(Path("/etc/os-release")).splitlines() if "=" in line)
    return {key: value.strip().strip("\"'") for key, value in lines}


def memory_total() -> int:
    """MiB of memory."""
    match = re.search(r"^MemTotal:\s+(\d+) kB", read(Path("/proc/meminfo")), re.MULTILINE)
    return int(match[1]) // 1024 if match else 0


def addresses_of(name: str) -> tuple[str, ...]:
    """What a host name resolves to."""
    try:
        return tuple(sorted({str(entry[4][0]) for entry in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}))
    except OSError:
        return ()


def resolve(address: str) -> str:
    """The IP address a node's address stands for, as the node itself sees it; unchanged where it stands for none."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        found = [ip for ip in addresses_of(address) if not ipaddress.ip_address(ip.partition("%")[0]).is_loopback]
        return min(found, key=lambda ip: ":" in ip, default=address)


def free_space(path: Path) -> int:
    """MiB free where ``path`` is, or will be."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free // 1024**2


def listeners(port: int, own: str = "incusd") -> tuple[str, ...]:
    """Programs that listen on a TCP port, those whose name begins with ``own`` left out."""
    found = []
    for line in run("ss", "-Hltnp", "sport", "=", f":{port}").splitlines():
        named = re.findall(r'\("([^"]+)",pid=(\d+)', line)
        found += [f"{name} (pid {pid})" for name, pid in named if not name.startswith(own)]
        if not named:
            found.append("an unknown program")
    return tuple(sorted(set(found)))


def links() -> list[dict[str, Any]]:
    """Every network device with its addresses, as ``ip`` tells."""
    try:
        return list(json.loads(run("ip", "-json", "address", "show") or "[]"))
    except ValueError:
        return []


def bridge_among(devices: list[dict[str, Any]], name: str) -> Bridge:
    """The bridge of that name."""
    for device in devices:
        if device.get("ifname") == name and Path(f"/sys/class/net/{name}/bridge").is_dir():
            found = tuple(entry["local"] for entry in device.get("addr_info", []) if "local" in entry)
            return Bridge(name, exists=True, up="UP" in device.get("flags", []), addresses=found)
    return Bridge(name)


def device_with(devices: list[dict[str, Any]], address: str) -> str:
    """The device that carries an address."""
    for device in devices:
        if any(entry.get("local") == address for entry in device.get("addr_info", [])):
            return str(device["ifname"])
    return ""


def installed(names: list[str]) -> tuple[tuple[str, ...], bool]:
    """Which of these packages are installed, and whether dpkg was cut off in the middle of its work."""
    states = dict(
        line.split(" ", 1)[::-1]
        for line in run("dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n").splitlines()
        if " " in line
    )
    updates = Path("/var/lib/dpkg/updates")
    interrupted = any(state not in ("installed", "config-files", "not-installed") for state in states.values()) or (
        updates.is_dir() and any(updates.iterdir())
    )
    return tuple(name for name in names if states.get(name) == "installed"), interrupted


def ids_available() -> int:
    """How many user ids there are here, counted from 0; the smaller of users' and groups'."""
    counts = []
    for kind in ("uid_map", "gid_map"):
        entries = [[int(part) for part in line.split()] for line in read(Path("/proc/self", kind)).splitlines()]
        counts.append(max((inside + count for inside, _outside, count in entries), default=ALL_IDS))
    return min(counts)


def ranges_fit(ids: int) -> bool:
    """Whether root may map a range of nested ids, and every one it may map exists here."""
    for kind in ("subuid", "subgid"):
        found = re.findall(r"^root:(\d+):(\d+)$", read(Path("/etc", kind)), re.MULTILINE)
        if not found or any(int(start) + int(count) > ids for start, count in found):
            return False
    return True


def apt_sources() -> list[Source]:
    """Everything apt is told to fetch packages from."""
    directory = Path("/etc/apt")
    found = list(read_list(read(directory / "sources.list")))
    for path in sorted((directory / "sources.list.d").glob("*.list")):
        found += read_list(read(path))
    for path in sorted((directory / "sources.list.d").glob("*.sources")):
        found += read_deb822(read(path))
    return found


def answers(path: Path) -> bool:
    """Whether somebody accepts connections on a Unix socket."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(5)
            connection.connect(str(path))
    except OSError:
        return False
    return True


def existing_pools() -> tuple[str, ...]:
    """Storage pools Incus made here, without waking it up."""
    directory = STORAGE / "storage-pools"
    return tuple(sorted(path.name for path in directory.iterdir())) if directory.is_dir() else ()


def gather(
    address: str, port: int, bridge: str, packages: list[str], sources: list[str], *, storage: Path = STORAGE
) -> NodeFacts:
    """Look at this node. Free space is that where ``storage`` is, or will be."""
    release = os_release()
    devices = links()
    complete, interrupted = installed(packages)
    ids = ids_available()
    apt = apt_sources()
    hostname = socket.gethostname()
    codename = release.get("VERSION_CODENAME", "")
    return NodeFacts(
        root=os.geteuid() == 0,
        architecture=platform.machine(),
        cores=os.cpu_count() or 0,
        memory=memory_total(),
        distribution=release.get("ID", ""),
        version=release.get("VERSION_ID", ""),
        codename=codename,
        hostname=hostname,
        hostname_addresses=addresses_of(hostname),
        disk_free=free_space(storage),
        storage_path=str(storage),
        listeners=listeners(port),
        bridge=bridge_among(devices, bridge),
        device=device_with(devices, address),
        commands=frozenset(name for name in ("ip", "ss", "apt-get", "systemctl", "zfs") if shutil.which(name)),
        missing_sources=tuple(path for path in sources if path.startswith("/") and not Path(path).exists()),
        packages=complete,
        dpkg_interrupted=interrupted,
        pools=existing_pools(),
        ids=ids,
        id_ranges_fit=ids == ALL_IDS or ranges_fit(ids),
        backports_offered=offers(apt, f"{codename}-backports"),
        mirror=mirror_of(apt, codename),
        engine_answers=answers(SOCKET),
        certificate=read(INCUS_CERTIFICATE),
    )
