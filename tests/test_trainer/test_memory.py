"""Freed memory is kept where glibc lets us."""

import os
import platform
import subprocess
import sys

from beampose.trainer import memory

PROGRAM = """
import resource
from trainer import memory
assert memory.keep_freed() is {expected}
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def use():
    b"x" * (48 << 20)
use()
before = faults()
for _ in range(5):
    use()
print(faults() - before)
"""


def faults(expected: bool, **environment: str) -> int:
    kept = {k: v for k, v in os.environ.items() if k != "MALLOC_ARENA_MAX"}
    words = [sys.executable, "-c", PROGRAM.format(expected=expected)]
    done = subprocess.run(
        words, check=True, capture_output=True, text=True, env={**kept, **environment}
    )
    return int(done.stdout)


def test_freed_blocks_are_used_again_without_page_faults():
    if platform.libc_ver()[0] != "glibc":
        assert memory.keep_freed() is False
        return
    # Five times 48 MB are 60,000 pages when each block goes back to the kernel.
    assert faults(True) < 1000


def test_whoever_sets_malloc_arena_max_decides_alone():
    if platform.libc_ver()[0] == "glibc":
        assert faults(False, MALLOC_ARENA_MAX="4") > 10_000
