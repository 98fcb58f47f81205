"""Reads the two layouts in which pandas stores a table in h5, without running what the file says.

pandas and PyTables unpickle attributes of any file they open. Label files come from strangers, so
they are read with h5py, and the few pickled attributes with `beampose.preprocess.unpickle`.
"""

import io
from typing import Any, cast

import h5py
import numpy as np

from beampose.preprocess import unpickle


def read(data: bytes) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]], np.ndarray]:
    """Reads the single table of an h5 file, whatever its key.

    Returns:
      columns: one tuple of names a column; index: one tuple of names a row (split at separators);
      values: float64 (rows, columns).

    Raises:
      ValueError: not an h5 file, no table or several, or a layout that would need unpickling.
    """
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            group = _only_table(file)
            if "table" in group:
                return _appendable(group)
            return _fixed(group)
    except ValueError:
        raise
    except Exception as error:  # Damaged bytes raise many types, such as IndexError.
        raise ValueError(f"cannot be read as h5: {error}. A csv beside it would be used") from None


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
    with h5py.File(stream, "r+") as file:
        group = _only_table(file)
        if "table" in group:
            _edit_appendable(group, named)
        else:
            _edit_fixed(group, named)
    changed = stream.getvalue()
    if not np.array_equal(read(changed)[2], values, equal_nan=True):
        raise ValueError("could not be changed in place")
    return changed


def _only_table(file: h5py.File) -> h5py.Group:
    groups = [v for v in file.values() if isinstance(v, h5py.Group) and "pandas_type" in v.attrs]
    if len(groups) != 1:
        raise ValueError(f"must hold one table. Found: {len(groups)}")
    return groups[0]


def _appendable(group: h5py.Group) -> tuple[list, list, np.ndarray]:
    axes = unpickle.loads(_bytes(group.attrs["non_index_axes"]))
    names = [_names(column) for column in axes[0][1]]
    table = _values(group, "table")
    index = [_split(_text(value)) for value in table["index"]]
    columns, blocks = [], []
    for field in table.dtype.names:
        if not field.startswith("values_block_"):
            continue
        kinds = unpickle.loads(_bytes(group["table"].attrs[f"{field}_kind"]))
        columns += [_names(kind) for kind in kinds]
        blocks.append(_floats(table[field]).reshape(len(index), -1))
    values = np.concatenate(blocks, axis=1) if blocks else np.empty((len(index), 0))
    order = [columns.index(name) for name in names]
    return names, index, values[:, order]


def _fixed(group: h5py.Group) -> tuple[list, list, np.ndarray]:
    names = _axis(group, "axis0")
    index = [part for row in _axis(group, "axis1") for part in [_join(row)]]
    columns, blocks = [], []
    for block in range(_count(group, "nblocks")):
        columns += _axis(group, f"block{block}_items")
        values = _values(group, f"block{block}_values")
        blocks.append(_floats(values).reshape(len(index), -1))
    values = np.concatenate(blocks, axis=1) if blocks else np.empty((len(index), 0))
    order = [columns.index(name) for name in names]
    return names, index, values[:, order]


def _edit_appendable(group: h5py.Group, cells: dict[tuple[int, tuple], float]) -> None:
    table = _values(group, "table")
    for field in table.dtype.names:
        if field.startswith("values_block_"):
            kinds = unpickle.loads(_bytes(group["table"].attrs[f"{field}_kind"]))
            _put(table[field].reshape(len(table), -1), [_names(kind) for kind in kinds], cells)
            # Only this field: h5py would cut the last letter off the names in the index, which
            # PyTables pads with zeros.
            cast(h5py.Dataset, group["table"])[field] = table[field]


def _edit_fixed(group: h5py.Group, cells: dict[tuple[int, tuple], float]) -> None:
    for block in range(_count(group, "nblocks")):
        values = _values(group, f"block{block}_values")
        _put(values, _axis(group, f"block{block}_items"), cells)
        cast(h5py.Dataset, group[f"block{block}_values"])[...] = values


def _put(values: np.ndarray, names: list[tuple], cells: dict[tuple[int, tuple], float]) -> None:
    """Changes a view of a block, whose columns have these names."""
    for (row, name), value in cells.items():
        if name in names:
            values[row, names.index(name)] = value


def _axis(group: h5py.Group, name: str) -> list[tuple[str, ...]]:
    if f"{name}_level0" not in group:
        return [(_text(value),) for value in _array(group, name)]
    levels = []
    for level in range(_count(group, f"{name}_nlevels")):
        values = [_text(value) for value in _array(group, f"{name}_level{level}")]
        codes = _array(group, f"{name}_label{level}")
        levels.append([values[code] if code >= 0 else "" for code in codes])
    return list(zip(*levels, strict=True))


def _array(group: h5py.Group, name: str) -> np.ndarray:
    array = _values(group, name)
    if array.dtype.kind == "O":
        raise ValueError(f"{name} is stored as pickled objects, which are not read")
    return array


def _values(group: h5py.Group, name: str) -> Any:
    return cast(h5py.Dataset, group[name])[()]


def _count(group: h5py.Group, name: str) -> int:
    return int(cast(Any, group.attrs[name]))


def _floats(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "fiu":
        raise ValueError(f"values must be numbers. Found: {values.dtype}")
    return values.astype(np.float64)


def _names(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, (tuple, list)) else (str(value),)


def _split(name: str) -> tuple[str, ...]:
    return tuple(name.replace("\\", "/").split("/"))


def _join(row: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part for value in row for part in _split(value))


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else bytes(value)
