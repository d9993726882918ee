# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All endpoints: importing them fills the table of routes."""

from __future__ import annotations

from . import (
    access_api,
    agent_api,
    backup_api,
    clone,
    cluster_api,
    config_api,
    create,
    destroy,
    disks_api,
    guests_api,
    ha_api,
    ha_groups,
    ha_status,
    migrate,
    network_api,
    nodes_api,
    pools,
    power,
    replication_api,
    role_api,
    snapshots,
    storage_api,
    storage_defs,
    tasks_api,
    template_api,
    token_api,
)
from .routes import ROUTES

ENDPOINTS = (
    access_api,
    agent_api,
    backup_api,
    clone,
    cluster_api,
    config_api,
    create,
    destroy,
    disks_api,
    guests_api,
    ha_api,
    ha_groups,
    ha_status,
    migrate,
    network_api,
    nodes_api,
    pools,
    power,
    replication_api,
    role_api,
    snapshots,
    storage_api,
    storage_defs,
    tasks_api,
    template_api,
    token_api,
)
"""Who fills it."""

__all__ = ["ENDPOINTS", "ROUTES"]
