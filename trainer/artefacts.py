"""Folders that describe themselves (`info.json`) and say when they are whole (`COMPLETED`)."""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

INFO = "info.json"
COMPLETED = "COMPLETED"


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Writes JSON whole or not at all; NaN becomes null."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(_plain(value), indent=1) + "\n", encoding="utf-8")


def read_json(path: str | os.PathLike) -> Any:
    """Reads JSON. Raises ValueError naming the file if it is not JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from error


def whole(folder: str | os.PathLike, pattern: str) -> list[Path]:
    """Files of a folder in order, without the hidden ones that a killed `replacing` leaves."""
    return [p for p in sorted(Path(folder).glob(pattern)) if not p.name.startswith(".")]


def begin(folder: str | os.PathLike) -> Path:
    """Makes the folder and takes its COMPLETED away: it is being written."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / COMPLETED).unlink(missing_ok=True)
    return folder


def complete(folder: str | os.PathLike, info: dict[str, Any]) -> None:
    """Writes what the folder holds, then says that it is whole."""
    write_json(Path(folder) / INFO, info)
    (Path(folder) / COMPLETED).touch()


def require(folder: str | os.PathLike, made_by: str) -> dict[str, Any]:
    """The info of a whole folder.

    Raises:
      FileNotFoundError: the folder is missing or was not finished; the text names the command.
    """
    folder = Path(folder)
    if not (folder / COMPLETED).is_file():
        state = "was not finished" if folder.is_dir() else "does not exist"
        raise FileNotFoundError(f"{folder} {state}. Run `beampose {made_by}` first.")
    return read_json(folder / INFO)


def digest(value: Any) -> str:
    """sha256 of a value's JSON with sorted keys, in hex."""
    return hashlib.sha256(json.dumps(_plain(value), sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and value != value:
        return None
    return value
