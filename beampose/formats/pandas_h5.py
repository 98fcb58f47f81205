"""Reads the two layouts in which pandas stores a table in h5, without running what the file says.

pandas and PyTables unpickle attributes of any file they open. Label files come from strangers, so
they are read by `beampose.core.h5`, and the few pickled attributes by `unpickle`.
"""

import io
import math
from collections import defaultdict, deque
from typing import Any

import numpy as np

from beampose.core import h5
from beampose.core.wording import counted
from beampose.preprocess import unpickle

# Of pickled names: what an attribute of a table of 4,000 columns takes.
_LONGEST_HEADER = 1 << 18
# What DeepLabCut calls its table.
KEY = "df_with_missing"


def read(data: bytes) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]], np.ndarray]:
    """Reads the single table of an h5 file, whatever its key; of several the one DeepLabCut reads.

    Returns:
      columns: one tuple of names a column; index: one tuple of names a row (split at separators);
      values: float64 (rows, columns).

    Raises:
      ValueError: not an h5 file, no table or several, or a layout that would need unpickling.
    """
    with h5.opened(data) as file:
        group = _only_table(file)
        return _fixed(group) if group.dataset("table") is None else _appendable(group)


def levels(data: bytes) -> list[str]:
    """Names of the levels of the columns, "" for one without a name.

    Raises:
      ValueError: as `read`.
    """
    with h5.opened(data) as file:
        group = _only_table(file)
        table = group.dataset("table") is not None
        return _appendable_levels(group) if table else _fixed_levels(group)


def edit(data: bytes, cells: dict[tuple[int, int], float]) -> bytes:
    """The h5 file with some numbers changed in their places; layout and attributes stay.

    Args:
      cells: values by row and column, counted as `read` gives them.

    Raises:
      ValueError: as `read`, or the changed file does not read back as it should.
    """
    columns, _, values = read(data)
    for place, value in cells.items():
        values[place] = value
    named = {(row, columns[column]): value for (row, column), value in cells.items()}
    stream = io.BytesIO(data)
    with h5.edited(stream) as file:
        group = _only_table(file)
        if group.dataset("table") is None:
            _edit_fixed(group, named)
        else:
            _edit_appendable(group, named)
    changed = stream.getvalue()
    if not np.array_equal(read(changed)[2], values, equal_nan=True):
        raise ValueError("could not be changed in place")
    return changed


def _only_table(file: h5.Group) -> h5.Group:
    groups = {name: group for name in file.names() if (group := file.group(name)) is not None}
    tables = {
        name: group for name, group in groups.items() if group.attribute("pandas_type") is not None
    }
    if len(tables) > 1 and KEY in tables:
        # The one that DeepLabCut reads and writes.
        return tables[KEY]
    if not tables and file.dataset("track_occupancy") is not None:
        raise ValueError(
            "is SLEAP's analysis file: movement writes it as DeepLabCut does "
            "(load_poses.from_sleap_file, save_poses.to_dlc_file)"
        )
    if len(tables) != 1:
        names = f" ({', '.join(tables)}), none called {KEY}" if tables else ""
        how = f", and is written so by pandas' to_hdf(file, key={KEY!r})" if not tables else ""
        raise ValueError(f"must hold one table{how}. Found: {len(tables)}{names}")
    return next(iter(tables.values()))


def _appendable_levels(group: h5.Group) -> list[str]:
    axes = _unpickled(group, "non_index_axes")
    count = max((len(_names(column)) for column in axes[0][1]), default=0)
    told = _unpickled(group, "info") if group.attribute("info") is not None else {}
    told = told.get(1, {}) if isinstance(told, dict) else {}
    names = told.get("names") if isinstance(told, dict) else None
    names = list(names) if isinstance(names, (list, tuple)) else []
    return [str(name or "") for name in names] if len(names) == count else [""] * count


def _fixed_levels(group: h5.Group) -> list[str]:
    if group.dataset("axis0_level0") is None:
        return [""]
    found = []
    for level in range(_count(group, "axis0_nlevels")):
        part = group.dataset(f"axis0_level{level}")
        name = None if part is None else part.attribute("name")
        # Without a name there is a pickled None.
        found.append("" if name is None or _text(name) == "N." else _text(name))
    return found


def _appendable(group: h5.Group) -> tuple[list, list, np.ndarray]:
    axes = _unpickled(group, "non_index_axes")
    names = [_names(column) for column in axes[0][1]]
    table = group.values("table")
    _refuse_times(_dataset(group, "table").attribute("index_kind"))
    index = [_split(_text(value)) for value in table["index"]]
    columns, blocks = [], []
    for field, kinds in _fields(group, table):
        columns += kinds
        blocks.append(_block(table[field], len(index), len(kinds)))
    return names, index, _joined(names, index, columns, blocks)


def _fixed(group: h5.Group) -> tuple[list, list, np.ndarray]:
    names = _axis(group, "axis0")
    block = group.dataset("block0_values")
    if block is not None and block.attribute("shape") is not None:
        # pandas writes the shape of what holds nothing beside it.
        raise ValueError("holds no rows")
    if (rows := group.dataset("axis1")) is not None:
        _refuse_times(rows.attribute("kind"))
    index = [_join(row) for row in _axis(group, "axis1")]
    columns, blocks = [], []
    for block in range(_count(group, "nblocks")):
        items = _axis(group, f"block{block}_items")
        columns += items
        values = group.values(f"block{block}_values")
        blocks.append(_block(values, len(index), len(items)))
    return names, index, _joined(names, index, columns, blocks)


def _refuse_times(kind: Any) -> None:
    """Refuses rows whose names are times, which are stored as nanoseconds."""
    if kind is not None and "time" in _text(kind):
        raise ValueError("its rows are times, where numbers of frames or names of images must be")


def _joined(
    names: list[tuple], index: list, columns: list[tuple], blocks: list[np.ndarray]
) -> np.ndarray:
    """Blocks of columns side by side, in the order of names."""
    values = np.concatenate(blocks, axis=1) if blocks else np.empty((len(index), 0))
    # Columns of one name keep their own order.
    there: dict[tuple, deque[int]] = defaultdict(deque)
    for number, column in enumerate(columns):
        there[column].append(number)
    order = []
    for name in names:
        if not there[name]:
            raise ValueError(f"holds no values of the column {' '.join(name)!r}")
        order.append(there[name].popleft())
    return values[:, order]


def _edit_appendable(group: h5.Group, cells: dict[tuple[int, tuple], float]) -> None:
    table = group.values("table")
    for field, kinds in _fields(group, table):
        _put(table[field].reshape(len(table), -1), kinds, cells)
        # Only this field: h5py would cut the last letter off the names in the index, which
        # PyTables pads with zeros.
        _dataset(group, "table").put(table[field], field)


def _edit_fixed(group: h5.Group, cells: dict[tuple[int, tuple], float]) -> None:
    for block in range(_count(group, "nblocks")):
        values = group.values(f"block{block}_values")
        _put(values, _axis(group, f"block{block}_items"), cells)
        _dataset(group, f"block{block}_values").put(values)


def _put(values: np.ndarray, names: list[tuple], cells: dict[tuple[int, tuple], float]) -> None:
    """Changes a view of a block, whose columns have these names."""
    place = {name: number for number, name in reversed([*enumerate(names)])}
    for (row, name), value in cells.items():
        if name in place:
            values[row, place[name]] = value


def _fields(group: h5.Group, table: np.ndarray) -> list[tuple[str, list[tuple[str, ...]]]]:
    """Each field of an appendable table that holds values, and the names of its columns."""
    about = _dataset(group, "table")
    return [
        (field, [_names(kind) for kind in _unpickled(about, f"{field}_kind")])
        for field in table.dtype.names or ()
        if field.startswith("values_block_")
    ]


def _axis(group: h5.Group, name: str) -> list[tuple[str, ...]]:
    if group.dataset(f"{name}_level0") is None:
        return [(_text(value),) for value in _array(group, name)]
    levels = []
    for level in range(_count(group, f"{name}_nlevels")):
        codes = _array(group, f"{name}_label{level}")
        # Of a level without any name there are none, stored as pickled objects.
        named = (codes >= 0).any()
        values = [_text(value) for value in _array(group, f"{name}_level{level}")] if named else []
        levels.append([values[code] if code >= 0 else "" for code in codes])
    return list(zip(*levels, strict=True))


def _array(group: h5.Group, name: str) -> np.ndarray:
    found = group.dataset(name)
    if found is not None and found.dtype.kind == "O":
        raise ValueError(f"{name} is stored as pickled objects, which are not read")
    return group.values(name)


def _dataset(group: h5.Group, name: str) -> h5.Dataset:
    found = group.dataset(name)
    assert found is not None  # Its values were read.
    return found


def _unpickled(owner: h5.Group | h5.Dataset, name: str) -> Any:
    data = owner.attribute(name)
    if not isinstance(data, bytes) or len(data) > _LONGEST_HEADER:
        raise ValueError(f"its header {name} is missing or too long")
    return unpickle.loads(data)


def _count(group: h5.Group, name: str) -> int:
    found = group.attribute(name)
    if not isinstance(found, (int, np.integer)):
        raise ValueError(f"its header {name} is not a number")
    return int(found)


def _block(values: np.ndarray, rows: int, columns: int) -> np.ndarray:
    if values.dtype.kind not in "fiu":
        found = "pickled objects, which are not read" if values.dtype.kind == "O" else values.dtype
        raise ValueError(f"values must be numbers: save them as float. Found: {found}")
    if values.size != rows * columns:
        raise ValueError(
            f"holds {values.size} values for {counted(rows, 'row')} of {columns} columns"
        )
    return values.astype(np.float64).reshape(rows, columns)


def _names(value: Any) -> tuple[str, ...]:
    return tuple(map(_name, value if isinstance(value, (tuple, list)) else (value,)))


def _name(part: Any) -> str:
    """A name; a missing one is empty, as in the other layout."""
    missing = part is None or (isinstance(part, float) and math.isnan(part))
    return "" if missing else str(part)


def _split(name: str) -> tuple[str, ...]:
    return tuple(name.replace("\\", "/").split("/"))


def _join(row: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part for value in row for part in _split(value))


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
