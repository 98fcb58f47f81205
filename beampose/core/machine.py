"""This machine: how much memory and how many cores its programs may use."""

import os
from pathlib import Path

# Where containers say what they may use; "max" means no limit.
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
# What is believed of a machine that does not say.
_USUAL = 8 << 30


def memory() -> int:
    """Bytes of memory: of the machine, or of the container if that is less."""
    try:
        found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf.
        found = _USUAL
    for file in _LIMITS:
        try:
            found = min(found, int(Path(file).read_text()))
        except (OSError, ValueError):
            continue
    return found


def cores() -> int:
    """Cores that this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # Linux alone has it.
        return os.cpu_count() or 1
