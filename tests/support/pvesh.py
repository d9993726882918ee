# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for a node's command ``pvesh``: the same words, answered by a double's API.

``DOUBLE`` is its address, ``DOUBLE_TOKEN`` the token it is asked with. A task is waited for, as the real command does.
"""

from __future__ import annotations

import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

VERBS = {"get": "GET", "create": "POST", "set": "PUT", "delete": "DELETE"}


def ask(method: str, path: str, params: list[tuple[str, str]]) -> object:
    """One request; ends the command where it is refused."""
    url = f"{os.environ['DOUBLE']}/api2/json{path}"
    body = urllib.parse.urlencode(params)
    if method in ("GET", "DELETE") and body:
        url += f"?{body}"
    request = urllib.request.Request(url, method=method, data=body.encode() if method in ("POST", "PUT") else None)
    request.add_header("Authorization", f"PVEAPIToken={os.environ['DOUBLE_TOKEN']}")
    context = ssl._create_unverified_context()
    try:
        with urllib.request.urlopen(request, context=context) as answer:
            return json.load(answer)["data"]
    except urllib.error.HTTPError as error:
        sys.exit(error.reason)


def wait(upid: str) -> None:
    """Until a task is over."""
    node = upid.split(":")[1]
    while True:
        state = ask("GET", f"/nodes/{node}/tasks/{upid}/status", [])
        if state["status"] != "running":
            return
        time.sleep(0.02)


def main() -> None:
    verb, path, *rest = sys.argv[1:]
    params = [(name.removeprefix("--"), value) for name, value in zip(rest[::2], rest[1::2], strict=True)]
    params = [(name, value) for name, value in params if name != "output-format"]
    data = ask(VERBS[verb], path, params)
    if isinstance(data, str) and data.startswith("UPID:"):
        wait(data)
    print(json.dumps(data))


if __name__ == "__main__":
    main()
