# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates and images: brought along, fetched from afar, or offered by Proxmox."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from .clock import Wait
from .entries import Storage
from .errors import Refusal, invalid_one
from .routes import Call, route
from .sizes import MIB
from .tasks import Task

SYSTEM_TEMPLATES = (
    ("debian-13-standard_13.1-2_amd64.tar.zst", "debian-13", "13.1-2"),
    ("debian-12-standard_12.12-1_amd64.tar.zst", "debian-12", "12.12-1"),
    ("alpine-3.22-default_20250617_amd64.tar.xz", "alpine-3.22", "20250617"),
)


def _fetched(call: Call, kind: str, volid: str, what: str, size: int) -> str:
    world, content_kind = call.world, volid.partition(":")[2].partition("/")[0]
    form = volid.rpartition(".")[2]

    def work(task: Task) -> Generator[Wait, None, None]:
        task.log(f"downloading {what} to {volid}")
        yield 3.0
        world.cluster.add_volume(volid, call.node, content=content_kind, format=f"t{form}", size=size)
        task.log(f"download of '{what}' to '{volid}' finished")

    return world.tasks.begin(call.node, kind, volid.rpartition("/")[2], call.user, work)


def _accepts(call: Call, kind: str) -> Storage:
    storage = call.world.cluster.storage(str(call.params["storage"]), call.node)
    if kind not in storage.content:
        raise invalid_one("storage", f"storage '{storage.name}' is not configured for content-type '{kind}'")
    call.world.access.need(call.user, f"/storage/{storage.name}", "Datastore.AllocateTemplate")
    return storage


@route("POST /nodes/{node}/storage/{storage}/upload")
def upload(call: Call) -> str:
    """A template or an image, brought along."""
    kind = str(call.params["content"])
    storage = _accepts(call, kind)
    return _fetched(call, "imgcopy", f"{storage.name}:{kind}/{call.params['filename']}", "upload", 100 * MIB)


@route("POST /nodes/{node}/storage/{storage}/download-url")
def download(call: Call) -> str:
    """A template or an image, fetched by the node."""
    kind = str(call.params["content"])
    storage = _accepts(call, kind)
    volid = f"{storage.name}:{kind}/{call.params['filename']}"
    if call.world.cluster.volume(volid, call.node):
        raise Refusal(f"refusing to override existing file '{call.params['filename']}'")
    return _fetched(call, "download", volid, str(call.params["url"]), 100 * MIB)


@route("GET /nodes/{node}/aplinfo")
def templates(_call: Call) -> list[dict[str, Any]]:
    """Templates Proxmox offers."""
    return [
        {"template": file, "package": package, "version": version, "type": "lxc", "section": "system",
         "os": package, "architecture": "amd64", "headline": package, "source": "http://download.proxmox.com/images"}
        for file, package, version in SYSTEM_TEMPLATES
    ]  # fmt: skip


@route("POST /nodes/{node}/aplinfo")
def template_download(call: Call) -> str:
    """Fetch one of them."""
    name = str(call.params["template"])
    if name not in [file for file, _package, _version in SYSTEM_TEMPLATES]:
        raise invalid_one("template", "no such template")
    storage = _accepts(call, "vztmpl")
    return _fetched(call, "download", f"{storage.name}:vztmpl/{name}", name, 120 * MIB)
