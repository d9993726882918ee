# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates of VMs, made of cloud images: a guest called NAME-VERSION, its disk the image, made a template. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..engine.proxmox import marks
from ..engine.proxmox.templates import is_of, title
from ..fleet.model import Template


@dataclass(frozen=True, slots=True)
class Image:
    """A template, and where its image is: the volume ``source`` (``local:import/x.qcow2``)."""

    name: str
    version: str
    source: str
    storage: str
    bridge: str

    @property
    def template(self) -> Template:
        """As the fleet knows it."""
        return Template(self.name, kind="vm", version=self.version)


def stand(image: Image, rows: Iterable[Mapping[str, Any]]) -> tuple[str, Mapping[str, Any] | None]:
    """What is to be done (``keep``, ``make``, ``finish`` or ``refuse``), and the guest there is, from rows of
    /cluster/resources.

    A run that was cut off left a guest with the template's tag, which is none yet.
    """
    rows = [row for row in rows if row.get("type") == "qemu"]
    for row in rows:
        if is_of(row, image.template):
            return "keep", row
    for row in rows:
        said = marks.read(str(row.get("tags") or ""))
        if row.get("name") == title(image.template):
            ours = (said.template, said.template_version, said.fleet) == (image.name, image.version, "")
            return ("finish" if ours else "refuse"), row
    return "make", None


def body(image: Image, vmid: int) -> dict[str, Any]:
    """Parameters that make the guest. Cores, memory and disk are the server's own business, once it is cloned."""
    return {
        "vmid": vmid,
        "name": title(image.template),
        "scsihw": "virtio-scsi-single",
        "scsi0": f"{image.storage}:0,import-from={image.source},discard=on,iothread=1",
        "ide2": f"{image.storage}:cloudinit",
        "boot": "order=scsi0",
        "net0": f"virtio,bridge={image.bridge}",
        "agent": "enabled=1",
        "ostype": "l26",
        # Images for clouds write their console there, and some wait for it.
        "serial0": "socket",
        "cores": 1,
        "memory": 1024,
        "tags": marks.write(marks.Marks(template=image.name, template_version=image.version)),
    }
