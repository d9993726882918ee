# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three nodes of the double over the network, and clients of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
for folder in (HERE, HERE.parents[2]):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.client import Client  # noqa: E402
from cluster import client_of  # noqa: E402
from double import Double  # noqa: E402
from double import double as doubles  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One certificate for all: to make one takes longer than most tests."""
    made = doubles.make(tmp_path_factory.mktemp("tls"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(doubles, "make", lambda _folder: made)
        yield


@pytest.fixture
def double() -> Iterator[Double]:
    with Double(nodes=3, latency=0.003, tls=True, staleness=1.0) as here:
        yield here


@pytest.fixture
def client(double: Double) -> Iterator[Client]:
    client = client_of(double)
    yield client
    client.close()
