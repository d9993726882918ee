# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images small enough to be made while tests wait: one that boots, one that takes its time to unpack."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from pathlib import Path

INIT = Path(__file__).parents[2] / "roles" / "template" / "files" / "init"
APPLETS = ("sh", "ip", "hostname", "cat", "sleep", "httpd", "ipcalc")


def tiny(name: str, version: str) -> bytes:
    """A root file system of one program, with the init of the template role: answers HTTP on its address."""
    with _Tar(name, version) as tar:
        _bootable(tar)
    return tar.content


def heavy(name: str, version: str, mib: int) -> bytes:
    """The same and a file of zeros: quick to send, slow to unpack."""
    with _Tar(name, version) as tar:
        _bootable(tar)
        tar.file("rootfs/zero", bytes(mib * 1024 * 1024))
    return tar.content


def _bootable(tar: _Tar) -> None:
    busybox = shutil.which("busybox")
    if busybox is None:
        raise FileNotFoundError("busybox (Debian: busybox-static) is needed to make a test image")
    for folder in ("bin", "sbin", "etc/network", "proc", "sys", "dev", "run", "tmp", "root", "srv/www"):
        tar.folder(f"rootfs/{folder}")
    tar.file("rootfs/bin/busybox", Path(busybox).read_bytes(), 0o755)
    for applet in APPLETS:
        tar.link(f"rootfs/bin/{applet}", "busybox")
    tar.file("rootfs/sbin/init", INIT.read_bytes(), 0o755)
    tar.file("rootfs/etc/hostname", b"tiny\n")
    tar.file("rootfs/etc/network/interfaces", b"auto lo\niface lo inet loopback\n")


class _Tar:
    """An Incus image in one tarball."""

    def __init__(self, name: str, version: str) -> None:
        self._buffer = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._buffer, mode="w:gz", compresslevel=1)  # noqa: SIM115
        self.content = b""
        templates = {
            "/etc/network/interfaces": {"when": ["create", "copy", "start"], "template": "interfaces.tpl"},
            "/etc/hostname": {"when": ["create", "copy", "start"], "template": "hostname.tpl"},
        }
        metadata = {
            "architecture": "x86_64",
            "creation_date": 1700000000,
            "properties": {"switchyard.template": name, "switchyard.version": version},
            "templates": templates,
        }
        # JSON is YAML.
        self.file("metadata.yaml", json.dumps(metadata).encode())
        self.file("templates/interfaces.tpl", b'{{ config_get("user.switchyard.network", "") }}\n')
        self.file("templates/hostname.tpl", b"{{ container.name }}\n")

    def __enter__(self) -> _Tar:
        return self

    def __exit__(self, *_error: object) -> None:
        self._tar.close()
        self.content = self._buffer.getvalue()

    def folder(self, path: str) -> None:
        entry = tarfile.TarInfo(path)
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        self._tar.addfile(entry)

    def file(self, path: str, content: bytes, mode: int = 0o644) -> None:
        entry = tarfile.TarInfo(path)
        entry.size, entry.mode = len(content), mode
        self._tar.addfile(entry, io.BytesIO(content))

    def link(self, path: str, target: str) -> None:
        entry = tarfile.TarInfo(path)
        entry.type, entry.linkname = tarfile.SYMTYPE, target
        self._tar.addfile(entry)
