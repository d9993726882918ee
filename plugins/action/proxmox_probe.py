# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a machine whether it may be a Proxmox VE node: as for any node, the clock is compared from here."""

from __future__ import annotations

from .node_probe import ActionModule as NodeProbe


class ActionModule(NodeProbe):
    """The time, then the module of this name."""
