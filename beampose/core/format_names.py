"""Names of label formats: those of this package, and those that other packages add."""

from importlib.metadata import EntryPoint, entry_points

from beampose.core import task_kinds

# The group of entry points by which a package adds a `beampose.formats.LabelFormat`.
GROUP = "beampose.formats"
OWN = (*task_kinds.POSE.formats, *task_kinds.CROPS.formats)


def added() -> dict[str, EntryPoint]:
    """Entry points of other packages by name of the format; nothing of them is imported."""
    return {one.name: one for one in entry_points(group=GROUP) if one.name not in OWN}


def known() -> tuple[str, ...]:
    """All names."""
    return (*OWN, *added())
