"""Which GPUs come with which machines of Google Cloud, and how many of them."""

import re

# Series of machines that each GPU comes with, on both services; the first is the usual one.
SERIES = {
    "NVIDIA_TESLA_T4": ("n1",),
    "NVIDIA_TESLA_V100": ("n1",),
    "NVIDIA_TESLA_P100": ("n1",),
    "NVIDIA_L4": ("g2",),
    "NVIDIA_TESLA_A100": ("a2",),
    "NVIDIA_A100_80GB": ("a2",),
    "NVIDIA_H100_80GB": ("a3",),
}
# Series whose machines have GPUs of their own; those of a2 and a3 say how many at their end.
_OWN = ("g2", "a2", "a3")
_L4 = {4: 1, 8: 1, 12: 1, 16: 1, 24: 2, 32: 1, 48: 4, 96: 8}
# How many may be put into a machine that has none of its own.
_ADDED = {
    "NVIDIA_TESLA_T4": (1, 2, 4),
    "NVIDIA_TESLA_V100": (1, 2, 4, 8),
    "NVIDIA_TESLA_P100": (1, 2, 4),
}


def check(section: str, machine_type: str, accelerator: str | None, count: int) -> None:
    """Raises ValueError if a GPU does not come with a machine, or not in this number.

    Args:
      section: of the settings, for the error.
    """
    # A custom machine without a series is an n1.
    series = machine_type.partition("-")[0].replace("custom", "n1")
    if accelerator is None:
        if series in _OWN:
            names = " or ".join(gpu for gpu, found in SERIES.items() if series in found)
            raise ValueError(
                f"{section}.machine_type {machine_type} has GPUs, which are billed: name them as "
                f"{section}.accelerator ({names}), or choose a machine without, such as "
                "n1-standard-8."
            )
        return
    if series not in SERIES[accelerator]:
        wanted = " or ".join(SERIES[accelerator])
        raise ValueError(
            f"{section}.accelerator {accelerator} comes only with {wanted} machines, not with "
            f"{section}.machine_type {machine_type}: change one of them."
        )
    counts = _counts(machine_type, accelerator)
    if counts and count not in counts:
        wanted = " or ".join(map(str, counts))
        raise ValueError(
            f"{section}.accelerator_count must be {wanted} for {accelerator} in {machine_type}. "
            f"Received: {count}."
        )


def _counts(machine_type: str, accelerator: str) -> tuple[int, ...]:
    """How many of a GPU a machine may have; nothing where that is not known."""
    if found := re.search(r"-(\d+)g$", machine_type):
        return (int(found[1]),)
    if found := re.fullmatch(r"g2-standard-(\d+)", machine_type):
        return (_L4[int(found[1])],) if int(found[1]) in _L4 else ()
    return _ADDED.get(accelerator, ())
