# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts pip into a virtual environment that has none, with the package index this machine is set up for.

ansible-test otherwise downloads a script for that from a host of its own, which a machine that reaches packages
through a mirror only does not reach. Called as that script is: with pip's own options and the packages to install.
"""

from __future__ import annotations

import subprocess
import sys

subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL)
# That script's own options: what not to install along with pip, which nobody does here.
arguments = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", *arguments])
