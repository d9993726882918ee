# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions with Proxmox VE's API servers, through proxmoxer: who they have to be, and who we are.

proxmoxer itself gets its tickets outside its session, where no fingerprint is compared; so logging in is done here,
over the same verified connection as everything else.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..base import EngineError

try:
    # Before proxmoxer: its backend ends the whole process where requests is missing.
    import requests
    from proxmoxer.backends.https import Backend, JsonSerializer
    from proxmoxer.core import ProxmoxResource
    from requests.adapters import HTTPAdapter
    from requests.auth import AuthBase
    from urllib3.util.ssl_ import create_urllib3_context
except ImportError:
    HAS_PROXMOXER = False
    AuthBase = HTTPAdapter = JsonSerializer = object
else:
    HAS_PROXMOXER = True

_TICKET_LIFE = 3600.0
"""Seconds until a ticket is renewed; Proxmox VE takes it for 7,200."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A node's API server. It is known by its certificate's ``fingerprint`` (SHA-256, hex), or else by a certificate
    authority: the file ``authority``, or the system's own where that is empty."""

    node: str
    address: str
    port: int = 8006
    fingerprint: str = ""
    authority: str = ""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are: ``user@realm`` with an API token (its name and secret), or with a password."""

    user: str
    token: str = ""
    secret: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    origin: str = ""
    """The file that says so, for people."""


class LoginFailed(Exception):
    """The server does not take the password."""


class Ticket:
    """The ticket of a user without a token, good on every node of the cluster; got when it is first needed."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._lock = threading.Lock()
        self._got = 0.0
        self._value: tuple[str, str] = ("", "")

    def get(self, session: Any, base_url: str, timeout: tuple[float, float], verify: Any) -> tuple[str, str]:
        """(ticket, CSRF token). Raises LoginFailed, or what requests raises."""
        with self._lock:
            if not self._value[0] or time.monotonic() - self._got > _TICKET_LIFE:
                self._value = self._log_in(session, base_url, timeout, verify)
                self._got = time.monotonic()
            return self._value

    def forget(self, asked: float) -> None:
        """It was not taken: the next request gets a new one, unless somebody has got one since ``asked``."""
        with self._lock:
            if self._got <= asked:
                self._value = ("", "")

    def _log_in(self, session: Any, base_url: str, timeout: tuple[float, float], verify: Any) -> tuple[str, str]:
        body = {"username": self._credentials.user, "password": self._credentials.password}
        answer = session.post(f"{base_url}/access/ticket", data=body, timeout=timeout, verify=verify)
        if answer.status_code != 200:
            raise LoginFailed(answer.reason or f"HTTP {answer.status_code}")
        data = answer.json()["data"]
        if data.get("NeedTFA"):
            raise LoginFailed("the account needs a second factor (TFA)")
        return data["ticket"], data["CSRFPreventionToken"]


class _TicketAuth(AuthBase):  # type: ignore[misc]
    """What proxmoxer's session asks its authentication for, with a ticket that all hosts share."""

    def __init__(self, ticket: Ticket, base_url: str, timeout: tuple[float, float], verify: Any, plain: Any) -> None:
        self.timeout, self.verify_ssl, self.cert = timeout, verify, None
        self._ticket, self._base_url, self._plain = ticket, base_url, plain

    def get_cookies(self) -> Any:
        """The ticket travels as a cookie."""
        return requests.cookies.cookiejar_from_dict({"PVEAuthCookie": self._get()[0]})

    def __call__(self, request: Any) -> Any:
        if request.method != "GET":
            request.headers["CSRFPreventionToken"] = self._get()[1]
        return request

    def _get(self) -> tuple[str, str]:
        return self._ticket.get(self._plain, self._base_url, self.timeout, self.verify_ssl)


class _Pinned(HTTPAdapter):  # type: ignore[misc]
    """Connections to a server with this certificate, and no other."""

    def __init__(self, fingerprint: str, connections: int) -> None:
        self._fingerprint = fingerprint
        super().__init__(pool_connections=1, pool_maxsize=connections)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Every connection is compared, the kept-alive ones when they were made."""
        if self._fingerprint:
            # A context of our own: every connection would load the system's authorities, whom nobody asks here.
            context = create_urllib3_context(cert_reqs=ssl.CERT_NONE)
            options |= {"assert_fingerprint": self._fingerprint, "assert_hostname": False, "ssl_context": context}
        super().init_poolmanager(*args, **options)


class _Serializer(JsonSerializer):  # type: ignore[misc]
    """proxmoxer's own, but an error brings its whole body."""

    def loads_errors(self, response: Any) -> Mapping[str, Any]:
        """``message`` and ``errors``."""
        try:
            body = response.json()
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {}


def require_proxmoxer() -> None:
    """Raise EngineError where the library is not there."""
    if not HAS_PROXMOXER:
        raise EngineError(
            "controller",
            "load proxmoxer",
            "not installed",
            "install proxmoxer and requests (Debian: python3-proxmoxer; pip install proxmoxer requests)",
        )


def resource(
    endpoint: Endpoint,
    credentials: Credentials,
    ticket: Ticket,
    timeout: tuple[float, float],
    connections: int,
) -> tuple[Any, Any]:
    """The root of a node's API, and its session: its connections are kept until it is closed."""
    fingerprint = endpoint.fingerprint.replace(":", "").lower()
    verify: Any = False if fingerprint else (endpoint.authority or True)
    backend = Backend(
        endpoint.address,
        port=endpoint.port,
        user=credentials.user,
        # Without a token this is never sent: the session's authentication is replaced below.
        token_name=credentials.token or "none",
        token_value=credentials.secret,
        verify_ssl=verify,
        timeout=timeout,
    )
    session, base_url = backend.get_session(), backend.get_base_url()
    # What the environment says of proxies and certificate bundles is meant for other servers.
    session.trust_env = False
    session.mount("https://", _Pinned(fingerprint, connections))
    if not credentials.token:
        plain = requests.Session()
        plain.trust_env = False
        plain.mount("https://", _Pinned(fingerprint, 1))
        session.auth = _TicketAuth(ticket, base_url, timeout, verify, plain)
    return ProxmoxResource(base_url=base_url, session=session, serializer=_Serializer()), session
