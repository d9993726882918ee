#!/usr/bin/python
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet's user on a Proxmox VE cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proxmox_access
short_description: The fleet's user on a Proxmox VE cluster
version_added: 0.1.0
author:
  - Switchyard contributors (@switchyard)
description:
  - Makes a role with the privileges the fleet needs and no others, a user, the grants of that role to it; and, asked
    for it, an API token.
  - Changes only what differs. Other roles, users, grants and tokens are left alone.
  - The secret of a token is told once, by Proxmox VE and so by this module; use C(no_log) with O(part=token).
extends_documentation_fragment: switchyard.fleet.proxmox_login
attributes:
  check_mode:
    description: Can run in check mode and return the changes it would make.
    support: full
  diff_mode:
    description: Returns what would be, or was, changed.
    support: full
options:
  part:
    description:
      - V(user) for the role, the user and its grants; V(token) for the token; V(kept) to note on the cluster that the
        controller has its secret.
    type: str
    choices: [user, token, kept]
    default: user
  role:
    description: Name of the role.
    type: str
    default: SwitchyardEngine
  user:
    description: The user, with its realm. It is made without a password, so that only its token lets anybody in.
    type: str
    default: switchyard@pve
  token:
    description: Name of the API token. It may what the user may (no separated privileges).
    type: str
    default: fleet
  storages:
    description: Storages the user may put disks on and read templates from. Default is all.
    type: list
    elements: str
    default: []
  bridges:
    description: Bridges the user may connect servers to. Default is all.
    type: list
    elements: str
    default: []
  comment:
    description: Comment of the user, when it is made.
    type: str
    default: Switchyard
  renew:
    description:
      - Whether a token that exists is made anew, which ends the old one for everybody who uses it.
      - Without it, to make one that exists is an error; but for one whose secret never came to be kept.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Make the fleet's user
  switchyard.fleet.proxmox_access:
    storages: [local-zfs]

- name: Make its token
  switchyard.fleet.proxmox_access:
    part: token
  register: access
  no_log: true
"""

RETURN = r"""
token_id:
  description: The token's whole name.
  returned: always
  type: str
  sample: switchyard@pve!fleet
secret:
  description: The secret of the token that was made.
  returned: when a token was made
  type: str
changes:
  description: What was, or would be, changed.
  returned: always
  type: list
  elements: str
  sample: [POST /access/roles]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.engine.base import EngineError, Refused
from ..module_utils.proxmox.access import KEPT, UNKEPT, Found, Request, Wanted, as_diff, differences, read, token_state
from ..module_utils.proxmox.api import LOGIN, Api, connect, major_version
from ..module_utils.proxmox.privileges import places, role

ATTEMPT = "set up the fleet's user"


def look(api: Api, user: str) -> Found:
    """Four requests."""
    users = api.get("/access/users", ATTEMPT)
    known = any(each["userid"] == user for each in users)
    tokens = api.get(f"/access/users/{user}/token", ATTEMPT) if known else []
    return read(api.get("/access/roles", ATTEMPT), users, api.get("/access/acl", ATTEMPT), tokens)


def user(api: Api, wanted: Wanted, found: Found, *, dry: bool) -> list[Request]:
    """The role, the user and its grants."""
    requests = differences(wanted, found)
    for request in [] if dry else requests:
        api.send(request.method, request.path, ATTEMPT, request.body)
    return requests


def token(api: Api, wanted: Wanted, found: Found, *, renew: bool, dry: bool) -> tuple[list[Request], str]:
    """What was done, and the secret. Raises Refused for a token that somebody may be using."""
    state = token_state(wanted, found, renew=renew)
    path = f"/access/users/{wanted.user}/token/{wanted.token}"
    if state == "refuse":
        raise Refused(
            "cluster",
            f"make the token {wanted.user}!{wanted.token}",
            "it exists, and the controller has not its secret, or not the right one",
            "bring proxmox.token from the controller that has it, or renew the token, which ends the old one",
        )
    requests = [Request("DELETE", path)] if state == "remake" else []
    requests.append(Request("POST", path, {"privsep": 0, "comment": UNKEPT}))
    answers = [] if dry else [api.send(each.method, each.path, ATTEMPT, each.body) for each in requests]
    return requests, str(answers[-1]["value"]) if answers else ""


def kept(api: Api, wanted: Wanted, found: Found, *, dry: bool) -> list[Request]:
    """Note that the secret is kept."""
    if wanted.token not in found.tokens or found.tokens[wanted.token].get("comment") == KEPT:
        return []
    request = Request("PUT", f"/access/users/{wanted.user}/token/{wanted.token}", {"comment": KEPT})
    if not dry:
        api.send(request.method, request.path, ATTEMPT, request.body)
    return [request]


def main() -> None:
    """Compare, change, tell."""
    module = AnsibleModule(
        argument_spec={
            "login": LOGIN,
            "part": {"type": "str", "choices": ["user", "token", "kept"], "default": "user"},
            "role": {"type": "str", "default": "SwitchyardEngine"},
            "user": {"type": "str", "default": "switchyard@pve"},
            "token": {"type": "str", "default": "fleet", "no_log": False},
            "storages": {"type": "list", "elements": "str", "default": []},
            "bridges": {"type": "list", "elements": "str", "default": []},
            "comment": {"type": "str", "default": "Switchyard"},
            "renew": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    options, dry = module.params, module.check_mode
    if "@" not in options["user"] or options["user"] == "root@pam":
        accepted = "a user of the fleet's own, with its realm, such as switchyard@pve"
        module.fail_json(msg=f"user: {options['user']!r} is not accepted; it must be {accepted}")
    result: dict[str, Any] = {"token_id": f"{options['user']}!{options['token']}"}
    try:
        api = connect(options["login"])
        wanted = Wanted(
            options["role"],
            role(major_version(api)),
            options["user"],
            options["token"],
            places(options["storages"], options["bridges"]),
            options["comment"],
        )
        found = look(api, wanted.user)
        if options["part"] == "token":
            requests, secret = token(api, wanted, found, renew=options["renew"], dry=dry)
            result |= {"secret": secret} if secret else {}
        elif options["part"] == "kept":
            requests = kept(api, wanted, found, dry=dry)
        else:
            requests = user(api, wanted, found, dry=dry)
            result["diff"] = as_diff(wanted, found)
    except EngineError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(requests), changes=[f"{each.method} {each.path}" for each in requests], **result)


if __name__ == "__main__":
    main()
