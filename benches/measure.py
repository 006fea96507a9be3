"""Runs a program, and writes what it took to a file, as JSON: {"wall", "cpu"} in seconds and {"memory"} in bytes.

    python3 -I -S measure.py FILE PROGRAM ARGUMENT…

A process of its own, and as small as Python goes: Linux counts what a process held before exec, and so what its parent
held, to the peak that getrusage(2) tells. A figure near that of `true` is the launcher's, not the program's.
"""

import os
import sys
import time

_, file, *program = sys.argv

began = time.perf_counter()
child = os.posix_spawnp(program[0], program, os.environ)
_, status, usage = os.wait4(child, 0)
wall = time.perf_counter() - began

with open(file, "w") as told:
    # ru_maxrss is in kilobytes on Linux.
    print(
        f'{{"wall": {wall:.6f}, "cpu": {usage.ru_utime + usage.ru_stime:.6f}, "memory": {usage.ru_maxrss * 1024}}}',
        file=told,
    )
sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)
