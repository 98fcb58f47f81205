"""Which SavedModels were made on this machine: one of a stranger is a stranger's program.

Their digests stand in `~/.beampose/models`, or in the folder BEAMPOSE_HOME names.
"""

import contextlib
import hashlib
import os
from pathlib import Path

FILE = "models"
HOME = "BEAMPOSE_HOME"
WARNING = (
    "was not made on this machine. A SavedModel is a program that can read and write your files: "
    "use it only if you know who made it (docs/serving.md)."
)


def remember(saved_model: Path) -> None:
    """Notes that a model is our own; on a machine without a home there is nothing to note it in."""
    with contextlib.suppress(OSError, RuntimeError):
        if not knows(saved_model):
            file = _file()
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("a", encoding="ascii") as stream:
                stream.write(f"{_digest(saved_model)}\n")


def knows(saved_model: Path) -> bool:
    """Whether a model was made here, wherever it has been moved since."""
    try:
        known = _file().read_text(encoding="ascii", errors="replace").split()
    except (OSError, RuntimeError):
        return False
    return _digest(saved_model) in known


def _file() -> Path:
    home = os.environ.get(HOME)
    return Path(home or Path.home() / ".beampose") / FILE


def _digest(folder: Path) -> str:
    """sha256 of the names and the bytes of all files in a folder, in hex."""
    code = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        code.update(f"{file.relative_to(folder).as_posix()}\n{file.stat().st_size}\n".encode())
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                code.update(block)
    return code.hexdigest()
