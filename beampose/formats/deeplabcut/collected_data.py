"""CollectedData files, where DeepLabCut keeps labels: h5 or csv, of one animal or several."""

import csv
import io
from typing import NamedTuple

import numpy as np

from beampose.core import files
from beampose.formats import pandas_h5
from beampose.preprocess.labels import ERROR, WARNING, Problem

LEVELS = ("scorer", "bodyparts", "coords")
LEVELS_OF_SEVERAL = ("scorer", "individuals", "bodyparts", "coords")


class Table(NamedTuple):
    """A CollectedData file.

    Attributes:
      columns: (scorer, individual, bodypart, coord) of each; the individual is "" in a file of one.
      names, rows: of each image, and its place in the file.
      values: float64 (images, columns).
    """

    file: str
    columns: list[tuple[str, str, str, str]]
    names: list[str]
    rows: list[int]
    values: np.ndarray


def find(folder: str, scorer: str, problems: list[Problem], *, several: bool) -> Table | None:
    """The label file of a folder: h5 as DeepLabCut reads it, csv where there is no readable h5.

    Args:
      several: whether the project is one of several animals, whose files name individuals.
    """
    found = {
        files.name(child): child
        for child in files.children(folder)
        if files.name(child).startswith("CollectedData_") and files.suffix(child) in (".h5", ".csv")
    }
    stems = sorted({files.stem(name) for name in found})
    wanted = f"CollectedData_{scorer}"
    if not stems:
        problems.append(Problem(WARNING, folder, 0, "", "has no CollectedData file: no labels"))
        return None
    if wanted not in stems:
        what = f"scorer mismatch: config.yaml says {scorer!r}, the folder has {', '.join(stems)}"
        problems.append(Problem(ERROR, folder, 0, "", f"{what}. Set source.scorer"))
        return None
    tables: dict[str, Table] = {}
    for suffix, reader in ((".h5", _read_h5), (".csv", _read_csv)):
        file = found.get(wanted + suffix)
        if file is None:
            continue
        try:
            tables[suffix] = reader(file, several, problems)
        except ValueError as error:
            level = WARNING if suffix == ".h5" and f"{wanted}.csv" in found else ERROR
            problems.append(Problem(level, file, 0, "", str(error)))
    if len(tables) == 2 and not _agree(tables[".h5"], tables[".csv"]):
        what = "the csv holds other labels than the h5; the h5 is used, as DeepLabCut does"
        problems.append(Problem(WARNING, tables[".csv"].file, 0, "", what))
    return tables.get(".h5", tables.get(".csv"))


def read(file: str, *, several: bool) -> tuple[Table, list[Problem]]:
    """A label file by its own name, h5 or csv, and what is wrong with its rows.

    Raises:
      FileNotFoundError: no such file.
      ValueError: another layout.
    """
    if not files.exists(file):
        raise FileNotFoundError(f"No file {file}.")
    problems: list[Problem] = []
    reader = _read_h5 if files.suffix(file) == ".h5" else _read_csv
    try:
        return reader(file, several, problems), problems
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None


def images(folder: str) -> set[str]:
    """File names of the images that any label file of a folder lists, whoever labeled.

    Raises:
      ValueError: a label file cannot be read; the text names it.
    """
    found: set[str] = set()
    for file in files.children(folder) if files.is_folder(folder) else ():
        if not files.name(file).startswith("CollectedData_"):
            continue
        try:
            if files.suffix(file) == ".h5":
                names = ["/".join(parts) for parts in pandas_h5.read(files.read_bytes(file))[1]]
            elif files.suffix(file) == ".csv":
                names = _csv_names(files.read_bytes(file).decode("utf-8-sig", "replace"))
            else:
                continue
        except (ValueError, csv.Error) as error:
            raise ValueError(f"{file} cannot be read: {error}") from None
        found |= {files.name(name) for name in names}
    return found


def _csv_names(text: str) -> list[str]:
    lines = [row for row in csv.reader(io.StringIO(text)) if any(cell.strip() for cell in row)]
    heads = [row[0].strip() for row in lines[:4]]
    if "coords" not in heads or "bodyparts" not in heads:
        raise ValueError(f"must begin with rows {', '.join(LEVELS)}")
    width = index_width(lines[heads.index("bodyparts")])
    return ["/".join(row[:width]) for row in lines[heads.index("coords") + 1 :]]


def _read_h5(file: str, several: bool, problems: list[Problem]) -> Table:
    columns, index, values = pandas_h5.read(files.read_bytes(file))
    levels = LEVELS_OF_SEVERAL if several else LEVELS
    if any(len(column) != len(levels) for column in columns):
        raise ValueError(f"must have the column levels {', '.join(levels)}, and no others")
    names = ["/".join(parts) for parts in index]
    rows = list(range(1, len(names) + 1))
    return Table(file, [_column(c) for c in columns], names, rows, values)


def _read_csv(file: str, several: bool, problems: list[Problem]) -> Table:
    text = files.read_bytes(file).decode("utf-8-sig", "replace")
    reader = csv.reader(io.StringIO(text))
    try:
        lines = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise ValueError(f"cannot be read: {error}. Is a quote not closed?") from None
    levels = LEVELS_OF_SEVERAL if several else LEVELS
    heads = tuple(row[0].strip() for _, row in lines[: len(levels)])
    if "individuals" in heads and not several:
        raise ValueError("has a row of individuals: it belongs to a project with several animals")
    if heads != levels:
        raise ValueError(f"must begin with rows {', '.join(levels)}. Found: {list(heads)}")
    header = [row for _, row in lines[: len(levels)]]
    width = index_width(header[1])
    columns = list(zip(*[[cell.strip() for cell in row[width:]] for row in header], strict=False))
    names, rows, values = [], [], []
    for number, row in lines[len(levels) :]:
        name = "/".join(cell.strip() for cell in row[:width])
        try:
            values.append(_numbers(row[width:], len(columns)))
        except ValueError as error:
            problems.append(Problem(ERROR, file, number, name, f"{error}; the row is not used"))
            continue
        names.append(name)
        rows.append(number)
    numbers = np.array(values).reshape(len(names), len(columns))
    return Table(file, [_column(c) for c in columns], names, rows, numbers)


def _column(names: tuple[str, ...]) -> tuple[str, str, str, str]:
    scorer, *individual, bodypart, coord = names
    return scorer, individual[0] if individual else "", bodypart, coord


def _numbers(cells: list[str], count: int) -> list[float]:
    if len(cells) > count and any(cell.strip() for cell in cells[count:]):
        raise ValueError(f"has {len(cells)} values for {count} columns")
    cells = [cell.strip() for cell in cells[:count]] + [""] * (count - len(cells))
    try:
        return [float(cell) if cell else np.nan for cell in cells]
    except ValueError:
        bad = next(cell for cell in cells if cell and not _is_number(cell))
        raise ValueError(f"holds {bad!r}, which is not a number") from None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _agree(first: Table, second: Table) -> bool:
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
    found = (i for i, cell in enumerate(bodyparts[1:], 1) if cell.strip())
    return next(found, len(bodyparts))


def image_name(name: str) -> str:
    """The video folder and the file name of a row, whatever comes before."""
    return "/".join(name.replace("\\", "/").split("/")[-2:])
