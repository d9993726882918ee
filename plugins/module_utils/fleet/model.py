# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the house: what is wanted (Fleet), what is (Observed), what to do (Plan).

Everything here is a frozen value. Memory and disk are whole MiB, cores are virtual CPUs (fractions
allowed), ``io`` is a budget in the operator's own unit (for example concurrent call ports), times are
seconds. Names of units are not repeated in field names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

EngineName = Literal["incus", "proxmox"]
Kind = Literal["container", "vm"]
Scope = Literal["node", "failure_domain", "site"]
NodeState = Literal["active", "maintenance"]
Reach = Literal["online", "offline"]
ServerState = Literal["running", "stopped", "unknown"]
Role = Literal["primary", "replica"]
Action = Literal[
    "template",
    "create",
    "copy",
    "import",
    "configure",
    "resize",
    "start",
    "stop",
    "restart",
    "delete",
    "move",
    "maintenance",
    "promote",
    "replicate",
    "unreplicate",
    "protect",
    "unprotect",
    "arrange",
    "gate",
]
Manner = Literal["", "live", "switch", "shared", "copy"]
"""How a server moves. ``live``: running, unnoticed; ``switch``: to its replica, which only has to be refreshed;
``shared``: its disk stays where both nodes reach it; ``copy``: its whole disk is copied."""
CheckType = Literal["tcp", "http", "sip"]


# ---------------------------------------------------------------- what is wanted


@dataclass(frozen=True, slots=True)
class Size:
    """What one server takes: cores (vCPU), memory (MiB), disk (MiB, on its pool), io (budget)."""

    cores: float
    memory: int
    disk: int
    io: int = 0


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a node has, or has in use: cores, memory (MiB), io, and disk (MiB) per storage pool."""

    cores: float = 0.0
    memory: int = 0
    io: int = 0
    pools: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Factors:
    """Overcommit: how many times a node's capacity may be promised (1.0 is exactly once)."""

    cores: float = 4.0
    memory: float = 1.0
    disk: float = 1.0
    io: float = 1.0


@dataclass(frozen=True, slots=True)
class CapacityOverride:
    """Declared capacity; ``None`` means "as the engine measures it"."""

    cores: float | None = None
    memory: int | None = None
    io: int | None = None
    pools: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fence:
    """How a node's power is cut for certain: a fence agent and its parameters."""

    agent: str
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class QuorumDevice:
    """A vote outside the cluster of the nodes: the host that gives it, and where members reach it."""

    host: str
    """Host of the inventory, or an address of one that is not in it."""
    address: str = ""
    """Where members reach it; empty: as Ansible reaches ``host``."""
    port: int = 5403
    tls: bool = True


@dataclass(frozen=True, slots=True)
class Node:
    """A hardware node that carries virtual servers (or, as a witness, only votes)."""

    name: str
    address: str
    port: int = 8443
    site: str = "default"
    failure_domain: str = ""
    """Rack or room. Empty: the node is a failure domain of its own."""
    capacity: CapacityOverride = CapacityOverride()
    reserve: Capacity = Capacity()
    """Kept free for the node itself: usable is (capacity - reserve) x overcommit."""
    overcommit: Factors = Factors()
    devices: frozenset[str] = frozenset()
    backup: str = ""
    """Node that holds the replicas; empty: chosen by the planner."""
    replication_bandwidth: int = 0
    """MiB per second replication may send; 0: nobody says."""
    dedicated: frozenset[str] = frozenset()
    """Only these servers may run here; empty: anybody."""
    state: NodeState = "active"
    witness: bool = False
    concurrency: int = 4
    """How many steps may run on this node at once."""
    fence: Fence | None = None
    fingerprint: str = ""
    """SHA-256 of the node's TLS certificate, lower-case hex; empty: read from the PKI directory."""
    bridge: str = "vmbr0"
    links: tuple[str, ...] = ()
    """Addresses the cluster's members hear each other on, one per link."""
    disks: str = ""
    """Volume group or directory for the disks of servers in step; empty: it has no place for them."""
    disk_address: str = ""
    """Where the other nodes' DRBD reaches it; empty: where its engine is reached."""

    @property
    def domain(self) -> str:
        """The failure domain the node is in, its own where none is declared."""
        return self.failure_domain or self.name


@dataclass(frozen=True, slots=True)
class Class:
    """A named size, with the defaults of servers that carry it."""

    name: str
    size: Size
    pool: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """What a server is created from. ``version`` changes whenever the content does."""

    name: str
    kind: Kind = "container"
    version: str = "1"
    clone: Literal["", "full", "linked"] = ""
    """Where the platform clones it: whole, or sharing its disk; empty: shared where a server can still move."""


@dataclass(frozen=True, slots=True)
class Network:
    """A layer-3 network servers may have addresses on."""

    name: str
    cidr: str
    gateway: str = ""
    bridge: str = ""
    """Bridge on the nodes; empty: the node's own default bridge."""
    vlan: int = 0
    mtu: int = 0
    dns: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    """Domains in which its servers look up short names."""
    reserved: tuple[str, ...] = ()
    """Addresses, ``first-last`` ranges or CIDRs that are never given to a server."""


@dataclass(frozen=True, slots=True)
class Interface:
    """One leg of a server. ``address`` without prefix length; empty until allocated."""

    network: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A question a healthy server answers.

    ``tcp``: the port accepts a connection; ``http``: GET ``path`` answers 2xx or 3xx;
    ``sip``: OPTIONS over UDP is answered at all.
    """

    type: CheckType
    port: int
    path: str = "/"
    timeout: float = 30.0
    """Seconds a server may take from its start to its first good answer."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Affinity (``together``) or anti-affinity (``apart``).

    For every server of ``subjects`` and every *other* server of ``others``: the two share their
    ``over`` (node, failure domain or site), or do not. Soft rules are preferences.
    """

    kind: Literal["together", "apart"]
    subjects: frozenset[str]
    others: frozenset[str]
    over: Scope = "node"
    hard: bool = True
    label: str = ""
    """How the operator wrote it, for reasons: ``sip_routers``, ``pbx-041``."""


@dataclass(frozen=True, slots=True)
class Replication:
    """How a server's storage is kept on its backup node: off, every ``interval`` seconds, or in step."""

    mode: Literal["none", "interval", "sync"] = "none"
    interval: int = 0


@dataclass(frozen=True, slots=True)
class Failover:
    """What happens when the server's node dies."""

    mode: Literal["auto", "manual", "off"] = "off"
    action: Literal["relocate", "activate", "none"] = "relocate"
    activate_url: str = ""
    deactivate_url: str = ""


@dataclass(frozen=True, slots=True)
class Server:
    """A virtual server as the inventory declares it."""

    name: str
    size: Size
    template: str
    class_name: str = ""
    pool: str = "default"
    interfaces: tuple[Interface, ...] = ()
    tenant: str = ""
    resource_pool: str = ""
    """The platform's group of guests it is kept in; empty: nobody looks."""
    state: Literal["running", "stopped"] = "running"
    node: str = ""
    """Pinned to this node; empty: the planner chooses."""
    site: str = ""
    dedicated: bool = False
    """Its node carries nothing else."""
    devices: frozenset[str] = frozenset()
    start_order: int = 50
    start_delay: float = 0.0
    """Seconds after its start before the next start order begins."""
    checks: tuple[Check, ...] = ()
    replication: Replication = Replication()
    failover: Failover = Failover()
    max_rtt_ms: float = 0.0
    """Highest round-trip time to the node of its replica, milliseconds; 0: any."""


@dataclass(frozen=True, slots=True)
class Site:
    """The nodes behind one engine cluster, or one place."""

    name: str


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds an engine may take, and how much may go on at once in the whole fleet."""

    connect: float = 5.0
    request: float = 30.0
    operation: float = 600.0
    stop: float = 30.0
    """Seconds a server may take to shut down before its power is cut."""
    concurrency: int = 32
    lock_ttl: float = 60.0
    """Seconds without a sign of life after which a run no longer holds the fleet."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Everything the inventory says, checked: what should be."""

    name: str
    engine: EngineName
    nodes: Mapping[str, Node]
    servers: Mapping[str, Server]
    templates: Mapping[str, Template] = field(default_factory=dict)
    networks: Mapping[str, Network] = field(default_factory=dict)
    classes: Mapping[str, Class] = field(default_factory=dict)
    sites: Mapping[str, Site] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    limits: Limits = Limits()
    ssh_keys: tuple[str, ...] = ()
    """Public keys a template may let in as root."""
    quorum_device: QuorumDevice | None = None


# ---------------------------------------------------------------- what is


@dataclass(frozen=True, slots=True)
class ObservedNode:
    """A node as its engine describes it. ``capacity`` is physical; offline nodes have none."""

    name: str
    reach: Reach
    error: str = ""
    """Why the node is offline, in one line."""
    version: str = ""
    capacity: Capacity = Capacity()
    memory_used: int = 0
    """MiB in use now, guests and the node's own."""
    load: float | None = None
    """Processes waiting to run, one-minute average; ``None`` where the engine does not tell."""
    pools_used: Mapping[str, int] = field(default_factory=dict)
    """MiB really in use per storage pool."""
    templates: frozenset[tuple[str, str]] = frozenset()
    """(template, version) pairs present here."""
    bridges: frozenset[str] | None = None
    """Bridges servers can be connected to; ``None`` where the engine does not tell."""
    maintenance: bool = False
    """Drained: the platform remembers that nothing new is to come here until it is undrained."""
    uptime: float | None = None
    """Seconds since it came up; ``None`` where the engine does not tell."""


@dataclass(frozen=True, slots=True)
class Use:
    """What a server really took while it was watched: cores busy on average, and MiB of memory."""

    cores: float
    memory: int


@dataclass(frozen=True, slots=True)
class Copying:
    """How a replica is kept. Times are seconds; ``refreshed`` is a time since the epoch."""

    interval: int = 0
    """Between two refreshes, as it was declared when they were set up; 0: nothing refreshes it."""
    refreshed: float = 0.0
    """When the newest refresh that succeeded began; 0: none ever did, and the replica is not complete."""
    failures: int = 0
    """Refreshes that failed since then."""
    failure: str = ""
    """Why the last one failed."""
    foreign: bool = False
    """Set up by somebody else: it counts, and is never changed."""
    bandwidth: int | None = None
    """MiB per second it may send, 0: no limit; ``None``: it is not the refreshes that are limited."""
    in_step: bool = False
    """It is never behind: nothing refreshes it."""
    took: float = 0.0
    """How long the newest refresh that succeeded took; 0: the platform does not tell."""
    tried: float = 0.0
    """When the last refresh that failed was tried, a time since the epoch, if any failed since the newest that did not;
    0: none did, or the platform does not tell."""
    changing: float | None = None
    """MiB in the files that were written in the last interval before a refresh, as of the last look at the files; None:
    nobody looked, or the platform does not tell."""
    outdated: tuple[tuple[str, str, str], ...] = ()
    """What its nodes know of the server otherwise than it is declared: variable, as they know it, as it is declared."""


@dataclass(frozen=True, slots=True)
class Protection:
    """What the platform does by itself when a server's node dies."""

    nodes: tuple[str, ...] = ()
    """Where it starts the server, the node it prefers first; empty: anywhere."""
    strict: bool = False
    """On these nodes or not at all."""
    keeps: Literal["running", "stopped", ""] = ""
    """The state it keeps the server in; empty: it looks after it no longer."""
    state: str = ""
    """What it is doing with the server, in its own word."""
    trouble: str = ""
    """What is wrong, and what a person has to do about it; empty: nothing."""
    waits: str = ""
    """What it waits for, which passes by itself; until then nothing is changed. Empty: nothing."""
    foreign: bool = False
    """Set up by somebody else: it counts, and is never changed."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Servers the platform keeps together, or apart, when it starts them by itself. At least two."""

    kind: Literal["together", "apart"]
    servers: frozenset[str]


@dataclass(frozen=True, slots=True)
class ObservedServer:
    """A guest as its engine describes it, ours or a stranger's.

    A replica that is no guest of its own on the platform is described as one all the same: role ``replica``, stopped,
    on the node that has its disk.
    """

    name: str
    node: str
    state: ServerState
    size: Size
    """As configured on the platform; 0 where the platform sets no limit."""
    pool: str = "default"
    fleet: str = ""
    """Name of the fleet whose mark it bears; empty: not ours, never touched."""
    interfaces: tuple[Interface, ...] = ()
    role: Role = "primary"
    generation: int = 1
    class_name: str = ""
    template: str = ""
    template_version: str = ""
    tenant: str = ""
    resource_pool: str | None = None
    """The platform's group of guests it is in, empty: none; ``None``: the platform has no such groups."""
    addresses: tuple[str, ...] = ()
    """Every address known to be its own, strangers' included."""
    use: Use | None = None
    """Measured, where the engine was asked to measure and the server runs."""
    moving: str = ""
    """Other node of a move this copy took part in when the move was cut off; empty: none."""
    home: str = ""
    """Of a primary: the node it was on before a failover brought it here; empty: it is where it belongs."""
    diverged: bool = False
    """Of a primary that lost against one a failover promoted: it may hold what no other has. Only prune deletes it."""
    copying: Copying | None = None
    """Of a replica: how it is kept, where the engine tells."""
    protection: Protection | None = None
    """Of a primary: what the platform does for it by itself; ``None``: nothing."""
    imported: str = ""
    """Checksum of the file it was made from; empty: it was made otherwise."""

    @property
    def complete(self) -> bool:
        """Of a replica: it has once been brought up to date as a whole."""
        return not self.moving and (self.copying is None or self.copying.refreshed > 0)


@dataclass(frozen=True, slots=True)
class Exported:
    """A server in a file."""

    path: str
    checksum: str
    """SHA-256 of the file, hexadecimal."""
    server: ObservedServer
    """As it was when it was exported."""


@dataclass(frozen=True, slots=True)
class StoredTemplate:
    """One version of a template on one node."""

    name: str
    version: str
    node: str
    fleet: str = ""
    """Whose it is; empty: nobody tells."""
    taken_from: str = ""
    """Server it was taken from; empty: it was built, or nobody tells."""
    size: int | None = None
    """MiB, where the engine tells."""
    created: str = ""
    """As the platform writes times."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What an engine can do, and how fast it moves servers, for estimates: rates in MiB/s, times in seconds."""

    live: frozenset[Kind] = frozenset()
    """Kinds of servers that move while they run."""
    resized_at_start: frozenset[Kind] = frozenset()
    """Kinds of servers whose cores and memory change at their next start only, if they run."""
    shared_pools: frozenset[str] = frozenset()
    """Pools every node reaches: a move copies nothing."""
    copy_rate: float = 100.0
    restart: float = 4.0
    """Seconds without service for a stop here and a start there."""
    start: float = 1.0
    """Of these, for the start."""
    detection: float = 0.0
    """Seconds from a node's death until the platform, which starts servers elsewhere by itself, begins to."""
    refresh: float = 1.0
    """Seconds the last refresh of an almost current copy takes, between that stop and that start."""
    replicates: bool = False
    """Keeps replicas that are refreshed at an interval."""
    synchronous: bool = False
    """Keeps replicas that are never behind."""
    shortest_interval: int = 1
    """Seconds between two refreshes, at least."""
    unreplicable: Mapping[str, str] = field(default_factory=dict)
    """Pool -> why the disks on it cannot be replicated, and which can."""
    protects: bool = False
    """Starts servers elsewhere by itself when their node dies."""
    activates: bool = False
    """Calls a server's live peer by itself when the server's node dies."""
    promotes: bool = False
    """Makes a replica the server itself when it is told to, once the server's node is dead."""
    arranges: bool = False
    """Can be told which servers to keep together or apart when it does."""


@dataclass(frozen=True, slots=True)
class Observed:
    """The platform's own account of itself."""

    nodes: Mapping[str, ObservedNode]
    servers: tuple[ObservedServer, ...]
    quorate: bool = True
    """False: too few nodes answered to be sure of anything; nothing may be changed."""
    answering: Mapping[str, str] = field(default_factory=dict)
    """Addresses that answered although no guest known here has them: address -> how it answered."""
    abilities: Abilities = Abilities()
    arrangements: frozenset[Arrangement] = frozenset()
    """Ours; those of others are not told."""
    at: float = 0.0
    """When it was seen, seconds since the epoch; 0: nobody tells."""


@dataclass(frozen=True, slots=True)
class FileSystem:
    """How full a file system or storage pool is: MiB there are, and MiB in use."""

    name: str
    size: int
    used: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes per second; ``None`` where the platform does not tell."""

    network_receive: float | None = None
    network_send: float | None = None
    disk_read: float | None = None
    disk_write: float | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """What a node or a guest takes right now; ``None`` (or nothing) where the platform does not tell."""

    cores: float | None = None
    """Cores busy, on average over the last moments."""
    memory: int | None = None
    """MiB in use."""
    load: tuple[float, float, float] | None = None
    """Processes waiting to run: averages over one, five and fifteen minutes."""
    uptime: float | None = None
    """Seconds since the start."""
    processes: int | None = None
    file_systems: tuple[FileSystem, ...] = ()
    traffic: Traffic = Traffic()


@dataclass(frozen=True, slots=True)
class Statistics:
    """The figures of nodes that answer, by name, and of guests that run, by node and name."""

    nodes: Mapping[str, Figures] = field(default_factory=dict)
    servers: Mapping[tuple[str, str], Figures] = field(default_factory=dict)


# ---------------------------------------------------------------- what to do


@dataclass(frozen=True, slots=True)
class Cost:
    """What a step is expected to cost: data copied (MiB) and service lost (seconds)."""

    copied: int = 0
    downtime: float = 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """One change of one thing. Carried out when every step in ``needs`` is done."""

    id: str
    action: Action
    node: str = ""
    """Node the change happens on; empty for a gate."""
    server: str = ""
    template: str = ""
    source: str = ""
    """Node data is copied from, where the step copies any."""
    needs: tuple[str, ...] = ()
    reason: str = ""
    changes: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    """Field -> (before, after): what a diff shows."""
    pause: float = 0.0
    """Seconds to let pass after the step before anything that needs it begins."""
    cost: Cost = Cost()
    manner: Manner = ""
    """Of a move: how."""
    backups: tuple[str, ...] = ()
    """Of a protect: where the server is to be started when ``node`` dies, the node preferred first."""
    servers: tuple[str, ...] = ()
    """Of an arrange: whom it is about. Of a copy: whom it is made from, which is on ``source``."""
    lost: tuple[str, ...] = ()
    """Of a promote: nodes that are known not to run anything any more."""


@dataclass(frozen=True, slots=True)
class Share:
    """How full a node is: promised over usable, per resource (1.0 is full)."""

    cores: float
    memory: float
    disk: float
    io: float
    servers: int

    @property
    def fullest(self) -> str:
        """The resource there is least left of; of equals the first."""
        shares = {"cores": self.cores, "memory": self.memory, "disk": self.disk, "io": self.io}
        return max(shares, key=shares.__getitem__)

    @property
    def worst(self) -> float:
        """The share of that resource."""
        return max(self.cores, self.memory, self.disk, self.io)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something wanted that cannot be, and why, in words a person can check."""

    subject: str
    reason: str
    conflict: tuple[str, ...] = ()
    """A smallest set of facts that cannot all hold: without any one of them the rest could."""


@dataclass(frozen=True, slots=True)
class Survival:
    """Whether everything a node (or failure domain) carries finds room on the backups when it dies."""

    lost: str
    over: Scope
    gaps: tuple[str, ...] = ()
    """What would not run, and why; empty: proven."""
    tightest: str = ""
    """The backup with the least room left then, and how full it would be: ``node3 memory 91 %``."""

    @property
    def holds(self) -> bool:
        """Everything fits."""
        return not self.gaps


@dataclass(frozen=True, slots=True)
class Score:
    """How good a placement is, lexicographically: fewer violations, fewer N+1 gaps, better balance.

    ``balance`` is what docs/planner.md defines, 0 is perfect; ``worst`` the share of the fullest node's
    fullest resource.
    """

    violations: int
    gaps: int
    balance: float
    worst: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, why, and how full the nodes are before and after."""

    goal: str
    steps: tuple[Step, ...]
    base: str
    """Digest of the fleet and of the observed state the plan was made from."""
    placement: Mapping[str, str] = field(default_factory=dict)
    """Server -> node, as it will be."""
    before: Mapping[str, Share] = field(default_factory=dict)
    after: Mapping[str, Share] = field(default_factory=dict)
    violations_before: tuple[str, ...] = ()
    violations_after: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    """Non-empty: the goal cannot be reached, and the plan must not be applied."""
    conditions: tuple[Refusal, ...] = ()
    """What has to be seen to first: the plan may be read, and must not be applied as long as there are any."""
    notes: tuple[str, ...] = ()
    """Worth knowing, in nobody's way: a node that does not answer, an orphan left alone."""
    backups: Mapping[str, str] = field(default_factory=dict)
    """Server -> the node it would be started on if its own died; only servers that fail over."""
    backups_before: Mapping[str, str] = field(default_factory=dict)
    """The same as things are, by which ``survival_before`` can be counted again."""
    survival_before: tuple[Survival, ...] = ()
    survival_after: tuple[Survival, ...] = ()
    left: Mapping[str, str] = field(default_factory=dict)
    """Server that the platform starts elsewhere by itself, and no step does -> where it is until then."""
    score_before: Score | None = None
    score_after: Score | None = None
