# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node's network is: read-only, from /sys, /proc and a few commands."""

from __future__ import annotations

import platform
from pathlib import Path

from .facts import installed, read, run
from .network_preflight import MANAGERS, NetworkFacts

_LINKS = Path("/sys/class/net")
_PACKAGES = ["ifupdown", "ifupdown2"]


def gather(file: Path) -> NetworkFacts:
    """Look at this node."""
    names = sorted(path.name for path in _LINKS.iterdir() if (path / "address").exists())
    return NetworkFacts(
        links={name: read(_LINKS / name / "address").strip() for name in names},
        made=frozenset(name for name in names if _made(_LINKS / name)),
        dead=frozenset(name for name in names if _dead(_LINKS / name)),
        kernel=frozenset(filter(None, (_vlan(), _bond(), _filtering(names)))),
        managers=_managers(),
        file=file.exists(),
        packages=frozenset(installed(_PACKAGES)[0]),
    )


def mtu(device: str) -> int:
    """That of a device as it is; 0: there is none."""
    text = read(_LINKS / device / "mtu").strip()
    return int(text) if text.isdigit() else 0


def _made(link: Path) -> bool:
    """Whether a link is made of others, or one of a server's; a card of a container is a card."""
    kind = read(link / "uevent")
    return any((link / part).exists() for part in ("bridge", "bonding", "tun_flags")) or "DEVTYPE=vlan" in kind


def _dead(link: Path) -> bool:
    """A device that is down does not tell."""
    return not _made(link) and read(link / "carrier").strip() == "0"


def _module(name: str) -> bool:
    release = platform.release()
    builtin = read(Path("/lib/modules") / release / "modules.builtin")
    return (
        Path("/sys/module", name).exists()
        or f"/{name}.ko" in builtin
        or bool(run("modinfo", "-F", "filename", name).strip())
    )


def _vlan() -> str:
    return "vlan" if Path("/proc/net/vlan").exists() or _module("8021q") else ""


def _bond() -> str:
    return "bond" if _module("bonding") else ""


def _filtering(names: list[str]) -> str:
    """Every bridge says whether the kernel could; where there is none, its configuration does."""
    bridges = [_LINKS / name / "bridge" for name in names if (_LINKS / name / "bridge").is_dir()]
    if bridges:
        return "filtering" if (bridges[0] / "vlan_filtering").exists() else ""
    config = read(Path("/boot") / f"config-{platform.release()}")
    return "filtering" if not config or "CONFIG_BRIDGE_VLAN_FILTERING=y" in config else ""


def _managers() -> tuple[str, ...]:
    """Those that run; systemd-networkd without a file has nothing to do, and leaves the network alone."""
    found = [name for unit, name in MANAGERS.items() if run("systemctl", "is-active", unit).strip() == "active"]
    folders = (Path("/etc/systemd/network"), Path("/run/systemd/network"))
    if "systemd-networkd" in found and not any(path for folder in folders for path in folder.glob("*.network")):
        found.remove("systemd-networkd")
    if any(Path("/etc/netplan").glob("*.yaml")):
        found.append("netplan")
    return tuple(found)
