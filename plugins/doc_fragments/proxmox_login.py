# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a module reaches the API of Proxmox VE."""

from __future__ import annotations


class ModuleDocFragment:
    """The option ``login``."""

    DOCUMENTATION = r"""
options:
  login:
    description:
      - An API server to speak to over HTTPS, from where the module runs; usually the controller, with C(delegate_to).
        Needs the Python packages proxmoxer and requests there.
      - Without it the module has to run on a Proxmox VE node, as root, and uses the node's own command C(pvesh).
    type: dict
    suboptions:
      address:
        description: Address of a node.
        type: str
        required: true
      port:
        description: Port of its API server.
        type: int
        default: 8006
      fingerprint:
        description: SHA-256 fingerprint its certificate has to have. Takes precedence over O(login.authority).
        type: str
        default: ""
      authority:
        description: File with the certificate authority its certificate has to be from. Default is the system's own.
        type: path
      user:
        description: Who logs in.
        type: str
        default: root@pam
      password:
        description: The user's password.
        type: str
      token:
        description: Name of an API token of O(login.user), instead of a password.
        type: str
      secret:
        description: The token's secret.
        type: str
"""
