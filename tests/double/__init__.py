# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A double of Proxmox VE's API for tests: a cluster in memory that refuses what the real one refuses, in its words.

In a test, over the network (``double.endpoints``, ``double.token``) or without (``double.ask``)::

    with Double(nodes=3, version="9.1", latency=0.01) as double:
        double.add_guest(100, "pve1", running=True)
        double.faults.kill("pve2")

By hand, from ``tests/``: ``python -m double --nodes 3 --port 8006`` prints its addresses, a password, a token and the
certificate's fingerprint; ``/double`` takes faults (control.py). Where things are: ``world.py`` answers a request,
``routes.py`` finds its function, the ``*_api.py`` are those functions by subject, ``state.py`` is the cluster,
``clock.py`` time, ``tasks.py`` what takes time, ``table/`` the parameters of every endpoint.
"""

from .double import Double
from .world import Answer, Credentials

__all__ = ["Answer", "Credentials", "Double"]
