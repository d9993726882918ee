# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The MAC addresses of servers, the same on every platform."""

from __future__ import annotations

import hashlib


def hardware_address(fleet: str, server: str, index: int) -> str:
    """The MAC address of a server's card: always the same, whoever makes the server anew and wherever.

    What its neighbours have cached of it stays true. Locally administered (IEEE 802, second bit of the first octet);
    40 bits of a hash, so that among 10,000 servers the odds of two alike are 1 to 20,000.
    """
    octets = hashlib.sha256(f"{fleet}/{server}/{index}".encode()).digest()[:5]
    return ":".join(f"{octet:02x}" for octet in (0x02, *octets))
