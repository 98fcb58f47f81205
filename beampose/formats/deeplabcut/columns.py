"""Columns of DeepLabCut's tables, found by all their levels, in whatever order these stand."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from beampose.formats import pandas_h5

LEVELS = ("scorer", "bodyparts", "coords")
LEVELS_OF_SEVERAL = ("scorer", "individuals", "bodyparts", "coords")
# How pandas calls an empty cell of a header once it was read and written again, and a missing name.
_UNNAMED = re.compile(r"Unnamed: \d+(_level_\d+)?")
_MISSING = "nan"


class Column(NamedTuple):
    """The name of a column; the individual is "" in a table of one animal."""

    scorer: str
    individual: str
    bodypart: str
    coord: str


def read_h5(
    data: bytes, *, several: bool | None = None
) -> tuple[list[Column], list[str], np.ndarray]:
    """Reads the table of an h5 file.

    Args:
      several: whether it must name individuals; None if it may or may not.

    Returns:
      The columns; the name of each row, with slashes; float64 (rows, columns).

    Raises:
      ValueError: as `pandas_h5.read`, or its columns have other levels.
    """
    columns, index, values = pandas_h5.read(data)
    levels = pandas_h5.levels(data)
    found = named(_as_in_csv(columns, levels), levels, several=several)
    return found, ["/".join(parts) for parts in index], values


def _as_in_csv(columns: list[tuple[str, ...]], levels: Sequence[str]) -> list[tuple[str, ...]]:
    """Columns whose empty names mean what empty cells of a csv do, of which they were made."""
    if "coords" not in levels or any(len(column) != len(levels) for column in columns):
        return columns
    cells = [[column[at] for column in columns] for at in range(len(levels))]
    return header(list(zip(levels, cells, strict=True)))


def named(
    columns: Sequence[tuple[str, ...]], levels: Sequence[str], *, several: bool | None = None
) -> list[Column]:
    """Columns whose levels may stand in any order.

    Args:
      columns: the names of each, a level each.
      levels: names of the levels; where one has none, they stand in DeepLabCut's order.
      several: as of `read_h5`.

    Raises:
      ValueError: other levels.
    """
    if several is None:
        several = len(levels) == len(LEVELS_OF_SEVERAL)
    check_individuals(levels, several)
    wanted = LEVELS_OF_SEVERAL if several else LEVELS
    if not all(levels):
        levels = wanted if len(levels) == len(wanted) else levels
    if sorted(levels) != sorted(wanted) or any(len(column) != len(wanted) for column in columns):
        raise ValueError(
            f"must have the column levels {', '.join(wanted)}, and no others. "
            f"Found: {', '.join(level or '(unnamed)' for level in levels)}"
        )
    at = {level: levels.index(level) for level in wanted}
    return [
        Column(
            column[at["scorer"]],
            column[at["individuals"]] if several else "",
            column[at["bodyparts"]],
            _coord(column[at["coords"]]),
        )
        for column in columns
    ]


def check_individuals(levels: Sequence[str], several: bool | None) -> None:
    """Refuses a table of several animals where there is one, and the other way round.

    Raises:
      ValueError: the text says what config.yaml has to do with it.
    """
    if "individuals" in levels and several is False:
        raise ValueError(
            "has a row of individuals: it belongs to a project of several animals, and "
            "config.yaml does not say multianimalproject: true"
        )
    if several and sorted(levels) == sorted(LEVELS):
        raise ValueError(
            "has no row of individuals, and config.yaml says that there are several "
            "(multianimalproject: true, or bodyparts: MULTI!): it was labeled as a project of one "
            "animal. DeepLabCut's convert2_maDLC converts its labels"
        )


def _coord(name: str) -> str:
    """x or y in small letters."""
    return name.lower() if name in ("X", "Y") else name


def header(rows: Sequence[tuple[str, Sequence[str]]]) -> list[tuple[str, ...]]:
    """Names of the columns of a table, from (level, cells) of each row of its header.

    A cell that a spreadsheet program merged with those on its left is empty: it means the same as
    they do. A coordinate is never guessed: of a column without one all names are "".
    """
    width = max((len(cells) for _, cells in rows), default=0)
    filled = []
    for level, cells in rows:
        cells = _unnumbered(cells) if level == "scorer" else cells
        last, row = "", []
        for cell in (*(cell.strip() for cell in cells), *[""] * (width - len(cells))):
            # Of bodyparts one may be called so.
            nobody = cell == _MISSING and level in ("scorer", "individuals")
            own = "" if nobody or is_empty(cell) else cell
            last = own or (last if level != "coords" else "")
            row.append(last)
        filled.append(row)
    coords = [level for level, _ in rows].index("coords")
    nothing = ("",) * len(rows)
    return [column if column[coords] else nothing for column in zip(*filled, strict=True)]


def is_empty(cell: str) -> bool:
    """Whether a cell of a header says nothing, whatever pandas made of it."""
    return not cell.strip() or bool(_UNNAMED.fullmatch(cell.strip()))


def _unnumbered(cells: Sequence[str]) -> Sequence[str]:
    """Scorers as they were before pandas read them as names, no two alike: Ann, Ann.1, Ann.2."""
    told = [cell for cell in cells if not is_empty(cell)]
    if len(set(told)) < len(told):
        return cells
    seen: Counter[str] = Counter()
    found = []
    for cell in cells:
        name, _, number = cell.strip().rpartition(".")
        own = name if seen[name] and number == str(seen[name]) else cell.strip()
        seen[own] += 1
        found.append(own)
    return found


def scorers(columns: Sequence[Column]) -> list[str]:
    """Everybody who has columns, in the order of the table."""
    return list(dict.fromkeys(column.scorer for column in columns if any(column)))


def owner(columns: Sequence[Column], scorer: str) -> str:
    """Whose columns stand for a scorer's: their own, or those of the only other one.

    Raises:
      ValueError: there are those of several others; the text names them.
    """
    everybody = scorers(columns)
    others = ", ".join(name or "(nobody)" for name in everybody)
    if scorer in everybody or not everybody:
        return scorer
    if len(everybody) > 1:
        raise ValueError(
            f"scorer mismatch: columns are by {others}, config says {scorer}. Set source.scorer "
            f"to one of them; labels by {scorer} are not there"
        )
    return everybody[0]


def places(columns: Sequence[Column], scorer: str | None = None) -> dict[tuple[str, str, str], int]:
    """The number of the column of every (individual, bodypart, coord).

    Args:
      scorer: whose; None in a table that must have one scorer only.

    Raises:
      ValueError: a column is there twice, or those of several scorers are and none is asked for.
    """
    everybody = scorers(columns)
    if scorer is None and len(everybody) > 1:
        named = ", ".join(one or "(nobody)" for one in everybody)
        raise ValueError(f"has columns by several scorers: {named}")
    found: dict[tuple[str, str, str], int] = {}
    for number, column in enumerate(columns):
        if not any(column) or scorer not in (None, column.scorer):
            continue
        key = column[1:]
        if key in found:
            of = f" of {column.individual!r}" if column.individual else ""
            raise ValueError(
                f"has two columns {column.coord!r} of bodypart {column.bodypart!r}{of} by "
                f"{column.scorer}: which one counts is not known. Rename or remove one"
            )
        found[key] = number
    return found
