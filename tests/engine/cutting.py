# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller that dies, or loses the network, at a request of one's choice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.base import Engine, Unreachable
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.incus.engine import IncusEngine
from ansible_collections.switchyard.fleet.plugins.module_utils.engine.proxmox.engine import ProxmoxEngine

Request = Callable[..., Any]


class Killed(BaseException):
    """SIGKILL: nobody catches it, and nothing is sent any more."""


@dataclass
class Cut:
    """What became of it: what it sent, and whether it came as far as to be cut off."""

    writes: list[str] = field(default_factory=list)
    dead: bool = False


def nobody(_write: str) -> None:
    """Does not look."""


@contextmanager
def cut(
    patch: pytest.MonkeyPatch, engine: Engine, at: int, *, after: bool, watch: Callable[[str], None] = nobody
) -> Iterator[Cut]:
    """An engine whose controller is killed at its ``at``-th write (from 1; 0: never).

    ``watch`` is told each write before it is sent.
    """
    state = Cut()

    def request(node: str, original: Request, method: str, path: str, *more: Any, **named: Any) -> Any:
        if state.dead:
            raise Killed
        if method == "GET":
            return original(method, path, *more, **named)
        watch(f"{method} {path}")
        state.writes.append(f"{method} {node} {path}")
        last = len(state.writes) == at
        if last and not after:
            state.dead = True
            raise Killed
        answer = original(method, path, *more, **named)
        if last:
            state.dead = True
            raise Killed
        return answer

    with _instead(patch, engine, request):
        yield state


@contextmanager
def unplugged(patch: pytest.MonkeyPatch, engine: Engine, at: int, node: str) -> Iterator[Cut]:
    """An engine that does not reach ``node`` any more from its ``at``-th write on; it lives, and sees the error."""
    state = Cut()

    def request(here: str, original: Request, method: str, path: str, attempt: str, *more: Any, **named: Any) -> Any:
        if method != "GET":
            state.writes.append(f"{method} {here} {path}")
            state.dead = state.dead or len(state.writes) == at
        if state.dead and here == node:
            raise Unreachable(here, attempt, "no connection: unplugged")
        return original(method, path, attempt, *more, **named)

    with _instead(patch, engine, request):
        yield state


@contextmanager
def _instead(patch: pytest.MonkeyPatch, engine: Engine, request: Callable[..., Any]) -> Iterator[None]:
    """This engine's requests go through ``request``; everybody else's, the tests' own too, as ever."""
    with patch.context() as within:
        if isinstance(engine, ProxmoxEngine):
            # One client for all nodes: whichever of them it asks.
            within.setattr(engine._client, "_request", partial(request, "cluster", engine._client._request))
        else:
            assert isinstance(engine, IncusEngine)
            for client in engine._clients.values():
                within.setattr(client, "_request", partial(request, client.node, client._request))
        yield
