# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an inventory to an engine: reads the PKI directory, contacts nobody.

The directory holds ``controller.crt`` and ``controller.key``, and ``nodes/NODE.crt`` for every node that declares
no fingerprint of its own. For Proxmox VE it holds, instead of the controller's, ``proxmox.token`` (``user@realm!name=
secret``) or ``proxmox.password`` (``user@realm:password``), and may hold ``ca.crt``, the authority of all nodes'
certificates (a cluster's own is its ``/etc/pve/pve-root-ca.pem``).
"""

from __future__ import annotations

import hashlib
import os
import re
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

from ..fleet.model import Fleet, Node
from .base import Engine, EngineError, NotInstalled
from .incus.client import Client, Identity, client_context
from .incus.engine import IncusEngine
from .proxmox.client import Client as ProxmoxClient
from .proxmox.engine import ProxmoxEngine
from .proxmox.session import Credentials, Endpoint
from .trace import Trace

Read = Callable[[Path], str]
"""The text of a file that holds a secret; raises as ``Path.read_text`` does."""


def plain(path: Path) -> str:
    """A secret as it is written down."""
    return path.read_text(encoding="utf-8")


def connect(fleet: Fleet, pki_dir: str, read: Read = plain) -> Engine:
    """The engine of this fleet. ``read`` gives a secret that may be encrypted where it is kept.

    A node whose certificate is not known was never installed; it is taken to be offline.
    Raises NotInstalled where that is so of all nodes, EngineError for files that are not what they should be.
    """
    pki = Path(pki_dir)
    identities = {name: _identity(pki, node) for name, node in fleet.nodes.items()}
    attempt = f"read the certificates in {pki_dir}"
    spoiled = [each for each in identities.values() if isinstance(each, str)]
    if spoiled:
        raise EngineError("controller", attempt, "; ".join(spoiled), "remove it, and run the site playbook")
    if fleet.engine == "proxmox":
        return _proxmox(fleet, pki, identities, read)
    certificate, key = pki / "controller.crt", pki / "controller.key"
    missing = [f"{path} is missing" for path in (certificate, key) if not path.is_file()]
    if not missing and not any(identities.values()):
        missing = [f"no node's certificate is in {pki / 'nodes'}"]
    if missing:
        hint = "run the site playbook: its node role makes the controller's certificate and fetches the nodes'"
        raise NotInstalled("controller", attempt, "; ".join(missing), hint)
    try:
        context = client_context(str(certificate), str(key))
    except (OSError, ssl.SSLError) as error:
        raise EngineError("controller", f"load {certificate} and {key}", _words(error)) from None
    trace = _trace()
    clients = {
        name: Client(
            name,
            fleet.nodes[name].address,
            fleet.nodes[name].port,
            identity=identity,
            context=context,
            limits=fleet.limits,
            trace=trace,
        )
        for name, identity in identities.items()
        if isinstance(identity, Identity)
    }
    return IncusEngine(fleet, clients, trace)


def _proxmox(fleet: Fleet, pki: Path, identities: Mapping[str, Identity | str | None], read: Read) -> Engine:
    """The engine of a Proxmox VE cluster: any of its nodes will do."""
    credentials = proxmox_credentials(pki, read)
    authority = str(pki / "ca.crt") if (pki / "ca.crt").is_file() else ""
    endpoints = []
    for name, node in fleet.nodes.items():
        identity = identities[name]
        fingerprint = identity.fingerprint if isinstance(identity, Identity) else ""
        endpoints.append(Endpoint(name, node.address, node.port, fingerprint=fingerprint, authority=authority))
    return ProxmoxEngine(fleet, ProxmoxClient(endpoints, credentials, fleet.limits, _trace()))


def proxmox_credentials(pki: Path, read: Read = plain) -> Credentials:
    """Who we are on a Proxmox VE cluster.

    Raises NotInstalled where no file says, EngineError for one that is spoiled.
    """
    attempt = f"read the credentials in {pki}"
    for name, pattern, accepted in (
        ("proxmox.token", r"([^!@\s]+@[^!\s]+)!([^=\s]+)=(\S+)", "user@realm!name=secret"),
        ("proxmox.password", r"([^:@\s]+@[^:\s]+):(.+)", "user@realm:password"),
    ):
        try:
            text = read(pki / name).strip()
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise EngineError("controller", attempt, f"{pki / name}: {_words(error)}") from None
        found = re.fullmatch(pattern, text)
        if not found:
            raise EngineError("controller", attempt, f"{pki / name} does not hold {accepted}")
        if name == "proxmox.token":
            return Credentials(found[1], token=found[2], secret=found[3], origin=str(pki / name))
        return Credentials(found[1], password=found[2], origin=str(pki / name))
    answer = f"neither {pki / 'proxmox.token'} nor proxmox.password is there"
    hint = "make an API token ('pveum user token add USER@REALM NAME' on a node), write USER@REALM!NAME=SECRET there"
    raise NotInstalled("controller", attempt, answer, hint)


def _trace() -> Trace:
    path = os.environ.get("SWITCHYARD_TRACE", "")
    try:
        return Trace(path)
    except OSError as error:
        raise EngineError("controller", f"write SWITCHYARD_TRACE {path}", _words(error)) from None


def _identity(pki: Path, node: Node) -> Identity | str | None:
    """Who the node has to be; what is wrong with what we know of it; None if nothing is known of it yet."""
    path = pki / "nodes" / f"{node.name}.crt"
    try:
        pem = path.read_text(encoding="ascii")
        seen = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    except FileNotFoundError:
        return Identity(node.fingerprint) if node.fingerprint else None
    except (OSError, ValueError) as error:
        return Identity(node.fingerprint) if node.fingerprint else f"{path}: {_words(error)}"
    if node.fingerprint and node.fingerprint != seen:
        # What is declared counts; the file is of another certificate.
        return Identity(node.fingerprint)
    return Identity(seen, pem)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
