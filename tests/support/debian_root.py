# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A root file system of Debian that Ansible works on as if it were a machine: its own apt, dpkg and network names.

Every program Ansible starts there runs in name spaces of its own (mounts, host name, network with one device), so that
nothing outside is changed. Services and kernels do not run in it.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.switchyard.fleet.plugins.module_utils.node.apt_sources import mirror_of
from ansible_collections.switchyard.fleet.plugins.module_utils.node.facts import apt_sources, os_release

PACKAGES = "python3,python3-apt,python3-debconf,iproute2,ca-certificates,procps,systemd,systemd-sysv,ifupdown"
ENTER = """#!/bin/sh
# Python in the root, as a machine of its own.
if [ "$1" != --inside ]; then
    exec unshare --mount --uts --net --pid --fork --propagation private sh "$0" --inside "$@"
fi
shift
mount -t proc proc {root}/proc
mount --bind /dev {root}/dev
hostname {name}
ip link set lo up
ip link add vmbr0 type bridge
ip address add {address}/24 dev vmbr0
ip link set vmbr0 up
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME=/root chroot {root} python3 "$@"
"""


@dataclass
class DebianRoot:
    """One of them."""

    path: Path
    name: str
    address: str

    @property
    def python(self) -> str:
        """What Ansible takes for the machine's Python."""
        return str(self.path.with_suffix(".python"))

    def prepare(self) -> None:
        """Its name, and the way in."""
        (self.path / "etc/hosts").write_text(f"127.0.0.1 localhost\n{self.address} {self.name}\n")
        (self.path / "etc/hostname").write_text(f"{self.name}\n")
        # No service starts in here.
        (self.path / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
        (self.path / "usr/sbin/policy-rc.d").chmod(0o755)
        enter = Path(self.python)
        enter.write_text(ENTER.format(root=self.path, name=self.name, address=self.address))
        enter.chmod(0o755)

    def run(self, program: str) -> str:
        """What a shell in it prints."""
        words = ["chroot", str(self.path), "sh", "-c", program]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, (program, done.stdout, done.stderr)
        return done.stdout

    def packages(self) -> set[str]:
        """Names of what is installed."""
        lines = self.run("dpkg-query -W -f '${db:Status-Status} ${Package}\\n'").splitlines()
        return {line.split()[1] for line in lines if line.startswith("installed ")}

    def write(self, path: str, text: str) -> None:
        """A file in it."""
        (self.path / path).parent.mkdir(parents=True, exist_ok=True)
        (self.path / path).write_text(text)


def make(folder: Path, release: str, name: str, address: str, packages: str = PACKAGES) -> DebianRoot:
    """A fresh one, from the mirror this machine uses itself."""
    mirror = mirror_of(apt_sources(), os_release().get("VERSION_CODENAME", ""))
    assert mirror, "this machine's apt has no mirror of its own release"
    root = DebianRoot(folder / release, name, address)
    words = ["mmdebstrap", "--mode=root", "--variant=minbase", f"--include={packages}", "--quiet"]
    words += ['--aptopt=Acquire::Languages "none"', "--dpkgopt=force-unsafe-io", "--format=directory"]
    subprocess.run([*words, release, str(root.path), f"deb {mirror.uri} {release} main"], check=True, timeout=600)
    root.prepare()
    return root


# ---------------------------------------------------------------- an archive of stand-ins


def package(folder: Path, name: str, version: str = "999", **fields: str) -> Path:
    """An empty package."""
    tree = folder / f"build-{name}"
    (tree / "DEBIAN").mkdir(parents=True)
    control = {"Package": name, "Version": version, "Architecture": "all", "Maintainer": "Nobody <nobody@example.net>"}
    control |= {key.replace("_", "-"): value for key, value in fields.items()}
    lines = [f"{key}: {value}\n" for key, value in control.items()]
    (tree / "DEBIAN/control").write_text("".join([*lines, "Description: stand-in\n"]))
    target = folder / f"{name}_{version}_all.deb"
    subprocess.run(
        ["dpkg-deb", "--build", "--root-owner-group", str(tree), str(target)], check=True, capture_output=True
    )
    shutil.rmtree(tree)
    return target


def archive(folder: Path, suite: str, component: str, packages: Iterable[Path]) -> Path:
    """A signed repository of these packages; its key, binary, is ``key.gpg`` beside it."""
    home = folder / "gnupg"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--pinentry-mode", "loopback", "--passphrase", ""]
    subprocess.run(
        [*gpg, "--quick-generate-key", "stand-in", "rsa3072", "sign", "never"], check=True, capture_output=True
    )
    (folder / "key.gpg").write_bytes(subprocess.run([*gpg, "--export"], check=True, capture_output=True).stdout)
    index = folder / f"dists/{suite}/{component}/binary-amd64/Packages"
    index.parent.mkdir(parents=True)
    index.write_text("\n".join(_entry(folder, each) for each in packages))
    text = index.read_bytes()
    release = (
        f"Suite: {suite}\nCodename: {suite}\nComponents: {component}\nArchitectures: amd64 all\n"
        f"Date: Sat, 01 Nov 2025 00:00:00 UTC\nSHA256:\n"
        f" {hashlib.sha256(text).hexdigest()} {len(text)} {component}/binary-amd64/Packages\n"
    )
    signed = subprocess.run([*gpg, "--clearsign"], input=release.encode(), check=True, capture_output=True).stdout
    (folder / f"dists/{suite}/InRelease").write_bytes(signed)
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, capture_output=True)
    shutil.rmtree(home)
    folder.chmod(0o755)
    return folder


def _entry(folder: Path, path: Path) -> str:
    shown = subprocess.run(["dpkg-deb", "--field", str(path)], check=True, capture_output=True, text=True).stdout
    content = path.read_bytes()
    return (
        f"{shown}Filename: ./{path.relative_to(folder)}\nSize: {len(content)}\n"
        f"SHA256: {hashlib.sha256(content).hexdigest()}\n"
    )
