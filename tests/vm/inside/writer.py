# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines with numbers, each on the disk before it is acknowledged: ``writer.py FILE ACKNOWLEDGED FIRST``."""

from __future__ import annotations

import os
import sys
import time


def main(path: str, acknowledged: str, first: int) -> None:
    """The second file is outside, and has the last number of which the disk said that it is written."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    told = os.open(acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    number = first
    while True:
        os.write(file, b"%d\n" % number)
        os.fsync(file)
        os.write(told, b"%d\n" % number)
        number += 1
        time.sleep(0.05)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
