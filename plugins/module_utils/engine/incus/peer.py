# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How one node knows another it fetches something from."""

from __future__ import annotations

import hashlib
import ssl

from ..base import Unreachable, Untrusted
from .client import Client


def certificate(source: Client, attempt: str) -> str:
    """The source's certificate (PEM): the one we know it by, or the one it shows if only its fingerprint is known."""
    if source.identity.certificate:
        return source.identity.certificate
    try:
        pem = ssl.get_server_certificate((source.address, source.port), timeout=source.limits.connect)
    except OSError as error:
        raise Unreachable(source.node, attempt, str(error)) from None
    if hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest() != source.identity.fingerprint:
        raise Untrusted(source.node, attempt, "the certificate changed while it was read")
    return pem
