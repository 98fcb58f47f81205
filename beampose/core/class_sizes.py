"""Says that a class has no crop, in the words of every verb that finds it out."""

from collections.abc import Mapping

from beampose.core.wording import counted, listed

# Classes that a line names.
MOST = 12


def empty(split: str, sizes: Mapping[str, int]) -> str:
    """Says which classes have no crop in a split; empty if all have some.

    Args:
      split: its name.
      sizes: number of crops by class.
    """
    lacking = [name for name, count in sizes.items() if not count]
    if not lacking:
        return ""
    if len(sizes) > MOST:
        number = f"{len(lacking)} of {counted(len(sizes), 'class')}"
        return f"{split}: {number} are empty ({listed(lacking, MOST)})"
    return f"{split}: a class is empty ({shown(sizes)})"


def unlearned(split: str, sizes: Mapping[str, int]) -> str:
    """The same of the split that is learned from, with what to do."""
    if not (what := empty(split, sizes)):
        return ""
    return (
        f"{what}; label more, or set another split.seed (with split.by: folder, move some crops "
        "into Training): nobody can learn it so"
    )


def shown(sizes: Mapping[str, int]) -> str:
    """The first classes with their numbers of crops."""
    return listed([f"{count} {name}" for name, count in sizes.items()], MOST)
