# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking several nodes side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ..base import EngineError
from .client import Client

T = TypeVar("T")
_MOST = 128
"""Threads at most: they only wait."""


def ask_all(clients: Iterable[Client], question: Callable[[Client], T]) -> dict[str, T | EngineError]:
    """Each node's answer, or the error it gave, by node name."""
    asked = list(clients)
    if not asked:
        return {}

    def one(client: Client) -> T | EngineError:
        try:
            return question(client)
        except EngineError as error:
            return error

    with ThreadPoolExecutor(max_workers=min(len(asked), _MOST)) as pool:
        return dict(zip((client.node for client in asked), pool.map(one, asked), strict=True))
