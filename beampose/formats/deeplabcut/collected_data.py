"""CollectedData files, where DeepLabCut keeps labels: h5 or csv, of one animal or several."""

import unicodedata
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from beampose.core import files, placeholders, texts
from beampose.core.wording import agreed, listed
from beampose.formats import spreadsheets
from beampose.formats.deeplabcut import columns, visibility
from beampose.formats.deeplabcut.columns import LEVELS, LEVELS_OF_SEVERAL, Column
from beampose.preprocess.labels import ERROR, GONE, WARNING, Problem

_SHOWN = 3


class Table(NamedTuple):
    """A CollectedData file.

    Attributes:
      columns: the name of each, by all levels.
      names, rows: of each image, and its place in the file.
      values: float64 (images, columns).
    """

    file: str
    columns: list[Column]
    names: list[str]
    rows: list[int]
    values: np.ndarray


class Reading(NamedTuple):
    """How label files of a project are read.

    Attributes:
      several: whether the project is one of several animals, whose files name individuals.
      encoding: of the project's config, which its csv files may have too.
      others: whose labels are read besides, so that columns of theirs are no problem.
    """

    several: bool
    encoding: str | None = None
    others: Collection[str] = ()


def find(folder: str, scorer: str, problems: list[Problem], reading: Reading) -> Table | None:
    """The labels of a scorer in a folder: h5 as DeepLabCut reads it, csv where there is none.

    Only the scorer's columns are returned. Where the file of this name holds no columns of this
    scorer but those of one other, these are taken, with a warning.
    """
    children = files.children(folder)
    found = {files.name(child): child for child in children if _is_table(child)}
    stems = sorted({files.stem(name) for name in found})
    wanted = f"CollectedData_{scorer}"
    if not stems:
        meant = like_it(children)
        what = f"has no CollectedData file: no labels{meant or _of_a_network(children)}"
        problems.append(Problem(ERROR if meant else WARNING, folder, 0, "", what))
        return None
    own = [wanted] if wanted in stems else []
    if not own and reading.others:
        own = _with_columns_of(scorer, found, reading)
    if len(own) != 1:
        what = f"scorer mismatch: config.yaml says {scorer!r}, the folder has {', '.join(stems)}"
        todo = "Set source.scorer"
        if unicodedata.normalize("NFC", wanted) in [unicodedata.normalize("NFC", s) for s in stems]:
            todo = (
                "They look alike, but an accent is a letter of its own in one of them: copy the "
                "name from config.yaml into the file's"
            )
        problems.append(Problem(ERROR, folder, 0, "", f"{what}. {todo}"))
        return None
    table = _either(found, own[0], problems, reading)
    return None if table is None else of_scorer(table, scorer, problems, reading.others)


def like_it(children: Sequence[str]) -> str:
    """Says what a file is called that may be meant for a label file; "" if none may."""
    known = sorted(one for one in map(files.name, children) if "collecteddata" in one.lower())
    if not known:
        return ""
    inner, why = placeholders.stands_for(known[0])
    if inner:
        return f". {known[0]} is only the placeholder of {inner}: {why}"
    return f". {known[0]} is none: they are called CollectedData_<scorer>.csv or .h5"


def _of_a_network(children: Sequence[str]) -> str:
    """Says that there are points of a network alone, as `extract_outlier_frames` leaves them."""
    known = sorted(one for one in map(files.name, children) if one.startswith("machinelabels"))
    if not known:
        return ""
    return f". {known[0]} is what a network found: DeepLabCut's refine_labels makes labels of it"


def _is_table(child: str) -> bool:
    # Not in capitals: what is written beside such a file would then count in its place.
    return files.name(child).startswith("CollectedData_") and child.endswith((".h5", ".csv"))


def _with_columns_of(scorer: str, found: dict[str, str], reading: Reading) -> list[str]:
    """Stems of the files that hold columns of somebody they are not named after."""
    stems = set()
    for name, file in found.items():
        try:
            table = _read(file, reading, [])
        except (ValueError, FileNotFoundError):
            # Whoever reads this file for its own scorer is told.
            continue
        if scorer in columns.scorers(table.columns):
            stems.add(files.stem(name))
    return sorted(stems)


def _either(
    found: dict[str, str], stem: str, problems: list[Problem], reading: Reading
) -> Table | None:
    """The table of the h5, or of the csv if that cannot be read; both are compared."""
    tables: dict[str, Table] = {}
    for suffix in (".h5", ".csv"):
        file = found.get(stem + suffix)
        if file is None:
            continue
        try:
            tables[suffix] = _read(file, reading, problems)
        except (ValueError, FileNotFoundError) as error:
            level = WARNING if suffix == ".h5" and f"{stem}.csv" in found else ERROR
            what = GONE if isinstance(error, FileNotFoundError) else str(error)
            problems.append(Problem(level, file, 0, "", what))
    if len(tables) == 2 and not agree(tables[".h5"], tables[".csv"]):
        what = (
            "the csv holds other labels than the h5; the h5 is used, as DeepLabCut does. If the "
            "csv is right, move the h5 away"
        )
        problems.append(Problem(WARNING, tables[".csv"].file, 0, "", what))
    return tables.get(".h5", tables.get(".csv"))


def of_scorer(
    table: Table, scorer: str, problems: list[Problem], also: Collection[str] = ()
) -> Table | None:
    """The columns of a scorer; others' are told, but for those that are read `also`."""
    try:
        owner = columns.owner(table.columns, scorer)
    except ValueError as error:
        problems.append(Problem(ERROR, table.file, 0, "", str(error)))
        return None
    if owner != scorer:
        what = f"scorer mismatch: columns are by {owner or '(nobody)'}, config says {scorer}"
        problems.append(Problem(WARNING, table.file, 0, "", what))
    own = [i for i, column in enumerate(table.columns) if column.scorer in (owner, "")]
    others = [name for name in columns.scorers(table.columns) if name not in (owner, "")]
    _tell_others(table, scorer, [name for name in others if name not in also], problems)
    chosen = [table.columns[i] for i in own]
    return table._replace(columns=chosen, values=table.values[:, own])


def _tell_others(table: Table, scorer: str, others: list[str], problems: list[Problem]) -> None:
    """Says whose columns are not used, and which images are lost by it."""
    if not others:
        return
    named = ", ".join(others)
    what = f"labels by {scorer} were asked for; not used are those by {named}, which it has too"
    problems.append(Problem(WARNING, table.file, 0, "", what))
    foreign = [column.scorer in others for column in table.columns]
    missing = np.isnan(table.values)
    only = missing[:, np.logical_not(foreign)].all(1) & ~missing[:, foreign].all(1)
    names = [files.name(table.names[i]) for i in np.flatnonzero(only)]
    if names:
        what = (
            f"{len(names)} of {len(table.names)} images {agreed(len(names), 'are')} labeled only "
            f"by {named}, not by "
            f"{scorer} ({listed(names, _SHOWN)}): set source.scorer to [{scorer}, {named}] to use "
            "both"
        )
        problems.append(Problem(ERROR, table.file, 0, "", what))


def read(file: str, *, several: bool) -> tuple[Table, list[Problem]]:
    """A label file by its own name, h5 or csv, and what is wrong with its rows.

    Raises:
      FileNotFoundError: no such file.
      ValueError: another layout.
    """
    files.require(file, "file")
    problems: list[Problem] = []
    try:
        return _read(file, Reading(several), problems), problems
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None


def images(folder: str) -> set[str]:
    """File names of the images that any label file of a folder lists, whoever labeled.

    Raises:
      ValueError: a label file cannot be read; the text names it.
    """
    found: set[str] = set()
    for file in files.children(folder) if files.is_folder(folder) else ():
        if not _is_table(file):
            continue
        try:
            if files.suffix(file) == ".h5":
                names = columns.read_h5(files.read_bytes(file))[1]
            else:
                # Names are compared with files, and strange letters in them do not match any.
                told = header(texts.decode(files.read_bytes(file), texts.WINDOWS))
                names = [_name(row, told.width) for row in told.body]
        except ValueError as error:
            raise ValueError(f"{file} cannot be read: {error}") from None
        found |= {files.name(name) for name in names}
    return found


class Header(NamedTuple):
    """The header of a csv.

    Attributes:
      columns: their names.
      width: how many cells of a row name the image.
      separator: what stands between cells.
      body: the rows after the header.
    """

    columns: list[Column]
    width: int
    separator: str
    body: list[spreadsheets.Row]

    def misplaced(self, cells: list[str]) -> str:
        """As `spreadsheets.misplaced`; columns at the end that have no name need no cells."""
        last = max((place for place, one in enumerate(self.columns, 1) if any(one)), default=0)
        least, most = self.width + last, self.width + len(self.columns)
        return "" if least <= len(cells) <= most else spreadsheets.misplaced(cells, least)


def header(text: str, *, several: bool | None = None) -> Header:
    """The header of a CollectedData csv, whose levels stand in any order.

    Args:
      several: whether it must name individuals; None if it may or may not.

    Raises:
      ValueError: it is no such file.
    """
    rows, separator = spreadsheets.read(text, lambda first: bool(_heads(first)))
    heads = _heads([row.cells for row in rows[:4]])
    columns.check_individuals(heads, several)
    wanted = LEVELS_OF_SEVERAL if several or "individuals" in heads else LEVELS
    if sorted(heads) != sorted(wanted):
        found = [row.cells[0].strip()[:40] for row in rows[: len(wanted)]]
        behind = _heads([row.cells[1:] for row in rows[:4] if row.cells[1:]])
        what = ". A column stands before them, as of numbers of rows: remove it" if behind else ""
        raise ValueError(
            f"must begin with rows {', '.join(wanted)}, with cells parted by commas, semicolons "
            f"or tabs. Found: {found}{what}"
        )
    cells = [row.cells for row in rows[: len(heads)]]
    width = min(index_width(row) for row in cells)
    named = columns.header([(h, row[width:]) for h, row in zip(heads, cells, strict=True)])
    found = columns.named(named, heads, several="individuals" in heads)
    body = rows[len(heads) :]
    # pandas writes the names of an index in a row of their own.
    if body and not files.suffix(_name(body[0], width)) and not any(body[0].cells[width:]):
        body = body[1:]
    return Header(found, width, separator, body)


def _name(row: spreadsheets.Row, width: int) -> str:
    return "/".join(cell.strip() for cell in row.cells[:width])


def _heads(rows: list[list[str]]) -> list[str]:
    """Levels of the columns, from the first cells of the first rows."""
    heads = [row[0].strip().lower() for row in rows]
    known = [head for head in heads if head in LEVELS_OF_SEVERAL]
    count = 4 if "individuals" in known else 3
    return heads[:count] if sorted(known[:count]) == sorted(heads[:count]) else []


def _read(file: str, reading: Reading, problems: list[Problem]) -> Table:
    data = files.read_bytes(file)
    if files.suffix(file) == ".h5":
        found, names, values = columns.read_h5(data, several=reading.several)
        return Table(file, found, names, list(range(1, len(names) + 1)), values)
    told = header(texts.decode(data, reading.encoding), several=reading.several)
    names, rows, values = [], [], []
    words: dict[int, str] = {}
    for row in told.body:
        name = _name(row, told.width)
        try:
            if what := told.misplaced(row.cells):
                raise ValueError(what)
            cells = _plain(row.cells[told.width :], told, words)
            values.append(_numbers(cells, len(told.columns), told.separator))
        except ValueError as error:
            problems.append(Problem(ERROR, file, row.number, name, f"{error}; the row is not used"))
            continue
        names.append(name)
        rows.append(row.number)
    if words:
        places = listed([str(told.width + place + 1) for place in sorted(words)], _SHOWN)
        what = "column {} holds words" if len(words) == 1 else "columns {} hold words"
        first = next(iter(words.values()))[:20]
        what = f"{what.format(places)} ({first!r}), which are not used"
        problems.append(Problem(WARNING, file, 0, "", what))
    numbers = np.array(values).reshape(len(names), len(told.columns))
    return Table(file, told.columns, names, rows, numbers)


def _plain(cells: list[str], told: Header, words: dict[int, str]) -> list[str]:
    """Cells of a row, with numbers for the words of columns that say what can be seen.

    Words of columns that are not read, as of the split of an image, are empty and go into `words`,
    the first of each column by its place.
    """
    found = []
    for place, (cell, column) in enumerate(zip(cells, told.columns, strict=False)):
        plain = visibility.plain(cell, column)
        if not visibility.is_read(column) and not spreadsheets.is_number(plain, told.separator):
            words.setdefault(place, plain.strip())
            plain = ""
        found.append(plain)
    return [*found, *cells[len(found) :]]


def _numbers(cells: list[str], count: int, separator: str) -> list[float]:
    cells = cells[:count] + [""] * (count - len(cells))
    return [spreadsheets.number(cell, separator) for cell in cells]


def agree(first: Table, second: Table) -> bool:
    """Returns True if two tables are equal up to the order of rows and columns."""

    def cells(table: Table) -> dict[tuple, float]:
        return {
            (image_name(name), *column): value
            for name, row in zip(table.names, table.values, strict=True)
            for column, value in zip(table.columns, row, strict=True)
        }

    one, other = cells(first), cells(second)
    return one.keys() == other.keys() and np.allclose(
        list(one.values()), [other[key] for key in one], atol=1e-3, equal_nan=True
    )


def index_width(bodyparts: list[str]) -> int:
    """Columns before the first bodypart: the path stands in one, or in three (new form)."""
    found = (i for i, cell in enumerate(bodyparts[1:], 1) if not columns.is_empty(cell))
    return next(found, len(bodyparts))


def image_name(name: str) -> str:
    """The video folder and the file name of a row, whatever comes before."""
    return "/".join(name.replace("\\", "/").split("/")[-2:])
