"""The code that runs now as one wheel, which jobs install: the same bytes for the same code."""

import base64
import hashlib
import io
import zipfile
from importlib import import_module, metadata
from pathlib import Path

from beampose.core import disk

NAME = "beampose"
# In a checkout, three of the packages lie beside `beampose`; installed, they lie inside.
_PACKAGES = (NAME, f"{NAME}.preprocess", f"{NAME}.trainer", f"{NAME}.pipelines")
_WHEEL = "Wheel-Version: 1.0\nGenerator: beampose\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_FIRST_DATE = (1980, 1, 1, 0, 0, 0)  # Zip files know no earlier one.


def build(folder: str | Path) -> Path:
    """Writes the wheel into a folder. Returns the file.

    A checkout and an installed package give the same code. What it needs, and its version, are
    read from the installation.

    Raises:
      importlib.metadata.PackageNotFoundError: beampose is not installed.
    """
    installed = metadata.distribution(NAME)
    info = f"{NAME}-{installed.version}.dist-info"
    about = {
        # An installation for development may keep it under its old name.
        "METADATA": installed.read_text("METADATA") or installed.read_text("PKG-INFO") or "",
        "WHEEL": _WHEEL,
        "entry_points.txt": installed.read_text("entry_points.txt") or "",
    }
    members = {**_code(), **{f"{info}/{name}": text.encode() for name, text in about.items()}}
    record = [f"{name},sha256={_encoded(data)},{len(data)}\n" for name, data in members.items()]
    members[f"{info}/RECORD"] = "".join([*record, f"{info}/RECORD,,\n"]).encode()
    target = Path(folder) / f"{NAME}-{installed.version}-py3-none-any.whl"
    with disk.naming(disk.temporary_folder(), folder):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(_zipped(members))
    return target


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _code() -> dict[str, bytes]:
    found = {}
    for package in _PACKAGES:
        source = Path(str(import_module(package).__file__)).parent
        for path in source.rglob("*"):
            inside = path.relative_to(source)
            skipped = any(part.startswith((".", "__pycache__")) for part in inside.parts)
            if path.is_file() and not skipped:
                found[f"{package.replace('.', '/')}/{inside.as_posix()}"] = path.read_bytes()
    return dict(sorted(found.items()))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def _zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            entry = zipfile.ZipInfo(name, _FIRST_DATE)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o100644 << 16
            archive.writestr(entry, data)
    return buffer.getvalue()
