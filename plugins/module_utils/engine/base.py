# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The interface every platform is spoken to through, and the one family of errors it raises.

An engine is made for one fleet, is safe to use from several threads, and keeps its connections until
``close``. Every method that changes something is idempotent: asked for what is already so, it returns.
Each waits for the platform's own task to end, for at most ``Fleet.limits.operation`` seconds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..fleet.importing.existing import Existing
from ..fleet.model import Arrangement, Exported, Fleet, Manner, Observed, Server, Statistics, StoredTemplate, Template

Progress = Callable[[str], None]
"""Called with a few words whenever a long operation has something to tell ("42 %")."""
Sink = Callable[[bytes], object]
"""Takes the next piece of a file."""
Leaving = Callable[[], None]
"""Called right before a server that moves is stopped; what it raises calls the move off."""
Arrived = Callable[[], None]
"""Called once a moved server runs on its new node, before what is left on the old one goes; may wait until it
serves, and raise if it does not."""
Whereabouts = tuple[tuple[str, ...], tuple[str, ...]]
"""The nodes a server may be found on, the likeliest first, and its addresses."""


def nothing() -> None:
    """Nobody has a word in when a server leaves or arrives."""


def never(_run: str) -> bool:
    """Of no run it is known that it is over."""
    return False


class EngineError(Exception):
    """A platform said no, or nothing. Says where, what was tried, what came back, what to do.

    ``unsure`` is true where the operation may still be going on, or may have happened.
    """

    def __init__(self, node: str, attempt: str, answer: str, hint: str = "", *, unsure: bool = False) -> None:
        self.node = node
        self.attempt = attempt
        self.answer = answer
        self.hint = hint
        self.unsure = unsure
        super().__init__(f"{node}: {attempt}: {answer}" + (f" ({hint})" if hint else ""))


class NotInstalled(EngineError):
    """No node of this fleet was ever made one: there is nothing to talk to yet."""


class Unreachable(EngineError):
    """Nobody answered in time: refused, no route, timeout, name not found."""


class Untrusted(EngineError):
    """Somebody answered who is not the node we know (certificate), or who does not know us."""


class Refused(EngineError):
    """The platform understood and refused."""


class TimedOut(EngineError):
    """The platform's task did not end in time; it may still be running."""


@dataclass(frozen=True, slots=True)
class LockRecord:
    """Who holds the fleet. ``token`` is unique per run; times are seconds since the epoch, UTC."""

    token: str
    holder: str
    """user@host, for people."""
    purpose: str
    machine: str
    """Boot and PID namespace of the holder: equal means "its process can be looked for here"."""
    pid: int
    since: float
    renewed: float


class Engine(ABC):
    """One fleet's platform."""

    name: ClassVar[str]
    queues_copies: ClassVar[bool] = False
    """Whether the platform makes replicas when it gets round to it: then many may be asked for at once."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet

    @property
    @abstractmethod
    def calls(self) -> int:
        """Requests sent so far."""

    @abstractmethod
    def close(self) -> None:
        """Let go of every connection."""

    # ---- what is

    @abstractmethod
    def observe(self, measure: bool = False) -> Observed:
        """Everything on every node, in a number of requests that does not depend on the number of
        guests. A node that does not answer is reported offline, not raised. What a node that is
        offline is known to carry is reported in state ``unknown``, and so is a server of which nobody
        can tell because it was on its way to or from such a node.

        ``measure`` fills in what each running guest takes, where the platform tells; it takes a second longer.

        Raises Untrusted: that is nobody's outage, and never something to go on after.
        """

    def statistics(self, details: Collection[str] = ()) -> Statistics:
        """What nodes and guests take right now. It is watched for a second where the platform keeps no rates itself.

        The number of requests does not depend on the number of guests. ``details`` names servers for which one more
        request each may be spent on what the platform tells only one by one. A node that does not answer is left out;
        raises Untrusted as ``observe`` does. An engine that has nothing to tell need not have this.
        """
        del details
        return Statistics()

    # ---- taking in what is there already

    def describe(self) -> Existing:
        """Every guest in detail, strangers too, for an inventory still to be written. May take a request each."""
        raise self._cannot("describe its guests", "")

    def adopt(self, server: Server, node: str, *, check: bool = False) -> Mapping[str, tuple[str, str]]:  # noqa: ARG002
        """Put our marks on a guest of that name that bears nobody's. Nothing else of it changes, it goes on as it is.

        Key of the platform's -> (before, after); empty: it is ours already. With ``check`` nothing is written.
        """
        raise self._cannot(f"adopt {server.name}", node)

    # ---- templates that are kept on nodes

    def templates(self) -> Sequence[StoredTemplate]:
        """Every version of every template on every node that answers."""
        nodes = self.observe().nodes.values()
        return [StoredTemplate(name, version, node.name) for node in nodes for name, version in sorted(node.templates)]

    def publish(self, source: str, node: str, template: Template, progress: Progress) -> None:  # noqa: ARG002
        """Make a template of what is on the disk of a server of ours, which is on ``node`` and goes on as it is. What
        servers must not have in common (keys, machine id) is not in it. May be cut off and asked for again.
        """
        raise self._cannot(f"take template {template.name} from {source}", node)

    def discard(self, name: str, version: str, node: str) -> None:
        """Remove a version of a template from a node. Servers made from it go on as they are."""
        raise self._cannot(f"remove template {name} {version}", node)

    # ---- changes, one server or template each

    @abstractmethod
    def provide_template(self, template: Template, node: str, source: str, progress: Progress) -> None:
        """Copy a template from node ``source`` to ``node``."""

    @abstractmethod
    def create(self, server: Server, node: str, progress: Progress) -> None:
        """Make the server, stopped, marked ours from its first moment. An existing guest of that
        name is success if it bears this fleet's mark, Refused if not."""

    @abstractmethod
    def copy(self, source: str, source_node: str, server: Server, node: str, progress: Progress) -> None:
        """Make the server from another one of ours, which goes on as it is, running or not: what is on its disks at one
        moment, with the new server's name, addresses, hardware addresses, size, identity and marks. Stopped.

        An existing guest of the new name is success if it bears this fleet's mark, Refused if not. May be cut off at
        any moment and asked for again.
        """

    @abstractmethod
    def configure(self, server: Server, node: str) -> tuple[str, ...] | None:
        """Bring network, class, tenant and marks to what ``server`` says; effective at its next start.

        What of it waits for that start of a server that runs, in the platform's words, where the platform tells.
        """

    @abstractmethod
    def resize(self, server: Server, node: str) -> tuple[str, ...] | None:
        """Bring cores, memory and disk to ``server.size``. A smaller disk is Refused.

        What of it waits for the next start of a server that runs, where the platform tells.
        """

    @abstractmethod
    def start(self, name: str, node: str) -> None:
        """Start a server of ours."""

    @abstractmethod
    def stop(self, name: str, node: str) -> None:
        """Shut a server of ours down; cut its power after ``Fleet.limits.stop`` seconds."""

    @abstractmethod
    def restart(self, name: str, node: str) -> None:
        """Stop, then start."""

    @abstractmethod
    def delete(self, name: str, node: str) -> None:
        """Remove a stopped server of ours with its storage."""

    @abstractmethod
    def move(
        self,
        server: Server,
        source: str,
        node: str,
        manner: Manner,
        progress: Progress,
        *,
        leaving: Leaving = nothing,
        arrived: Arrived = nothing,
    ) -> float:
        """Bring a server of ours, with everything in it, from node ``source`` to ``node``; seconds it was without
        service. What ran runs again, what was stopped stays so; addresses and hardware addresses stay.

        May be cut off at any moment and asked for again. There is a complete copy at every moment, and never
        are two running. Where it fails, the server goes on where it was, unless the error says otherwise.
        With manner ``switch`` the old copy of a server that is replicated stays, as the replica of the new one.
        """

    # ---- servers in files; an engine that has none says why, and what to do instead

    def export_server(
        self,
        name: str,
        node: str,
        sink: Sink,
        progress: Progress,
        *,
        compression: str = "gzip",  # noqa: ARG002
        run: str = "run",  # noqa: ARG002
        over: Callable[[str], bool] = never,  # noqa: ARG002
    ) -> None:
        """Give a server of ours, which goes on as it is, to ``sink`` as a file that ``import_server`` takes, here or
        elsewhere. Without its snapshots. Whatever becomes of it, nothing is left on the node.

        ``run`` names who does it, where the platform keeps something meanwhile; what a run left there that is
        ``over``, goes.
        """
        del sink, progress
        raise self._cannot(f"export {name}", node)

    def read_export(self, path: str) -> Exported:
        """What is in a file, read to its end. Raises Refused for a file no server can be made from."""
        raise self._cannot(f"read {path}", "")

    def import_server(self, path: str, server: Server, node: str, progress: Progress) -> None:
        """Make the server of a file. Stopped. Under the name it had it is the server it was, with its identity;
        under another a new one, as ``copy`` makes. Size, addresses and marks are those of ``server``.

        A guest of that name is success if it was made from this very file, Refused if not. May be cut off at any
        moment and asked for again.
        """
        del path, progress
        raise self._cannot(f"import {server.name}", node)

    # ---- replicas and failover; an engine that has them says so in ``Abilities``, and nobody asks the others

    def replicate(self, server: Server, node: str, backup: str, progress: Progress) -> None:  # noqa: ARG002
        """Keep a replica of the server, which is on ``node``, on ``backup``, refreshed every
        ``server.replication.interval`` seconds. Returns once the replica there is complete.

        Replicas on other nodes stay. What cannot be replicated is Refused before anything is changed.
        """
        raise self._cannot(f"replicate {server.name} to {backup}", node)

    def unreplicate(self, name: str, node: str, backup: str) -> None:
        """Keep no replica of a server, which is on ``node``, on ``backup`` any more; its disk there goes, may be later.

        One that somebody else set up is Refused.
        """
        raise self._cannot(f"drop the replica of {name} on {backup}", node)

    def promote(self, server: Server, node: str, lost: Collection[str]) -> None:  # noqa: ARG002
        """Make the replica of a server on ``node`` the server itself, asleep, whose own node is among ``lost``: these
        are known not to run anything any more. It remembers where its home was (``ObservedServer.home``).

        A replica that was never complete is Refused, and so is one of a server of which another node, that is not
        lost, has a copy that calls itself primary. One that is promoted already is success.
        """
        raise self._cannot(f"promote {server.name}", node)

    def protect(self, server: Server, node: str, backups: Sequence[str]) -> None:
        """Have the platform start the server on one of ``backups``, the first preferred, when ``node`` dies, and
        keep it as ``server.state`` says. Nowhere else, where it needs its replica. No ``backups``: wherever it can.

        The server goes on as it is. Rules that the platform would not accept are Refused before anything is changed.
        """
        raise self._cannot(f"have {server.name} started on {', '.join(backups) or 'any node'}", node)

    def unprotect(self, name: str, node: str) -> None:
        """Have the platform leave a server to itself again; it goes on as it is. What others set up is Refused."""
        raise self._cannot(f"leave {name} to itself", node)

    def arrange(self, arrangement: Arrangement, on: bool) -> None:
        """Have the platform keep these servers together, or apart, when it starts them by itself, or no longer.

        What it would not accept beside other rules, ours or others', is Refused before anything is changed.
        """
        how = arrangement.kind if on else f"no longer {arrangement.kind}"
        raise self._cannot(f"keep {', '.join(sorted(arrangement.servers))} {how}", "")

    def _cannot(self, what: str, node: str) -> Refused:
        return Refused(node or self.fleet.name, what, f"the engine {self.name} does no such thing")

    @abstractmethod
    def set_maintenance(self, node: str, on: bool) -> None:
        """Have the platform remember that nothing new is to come to a node, or that it may again."""

    # ---- the fleet's lock, and what is remembered of nodes that may die

    @abstractmethod
    def take_lock(self, record: LockRecord) -> LockRecord | None:
        """Hold the fleet, atomically. None: it is ours now. Otherwise the record of who holds it."""

    @abstractmethod
    def renew_lock(self, record: LockRecord) -> bool:
        """Give a sign of life. False: the lock is not ours any more."""

    @abstractmethod
    def release_lock(self, token: str) -> None:
        """Let go of the lock that bears this token, wherever it is held; no such lock is success."""

    @abstractmethod
    def remember(self, placement: Mapping[str, Whereabouts]) -> None:
        """Keep where every server is, or may be while it moves, where that outlives any one node."""
