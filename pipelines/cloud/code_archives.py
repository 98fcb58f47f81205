"""Our packages as source archives that jobs install or unpack: the same bytes for the same code."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pipelines
import preprocess
import trainer
from beampose.core import __version__

TRAINER = ("trainer",)
ALL = ("trainer", "preprocess", "pipelines")
_FOLDERS = {
    module.__name__: Path(module.__path__[0]) for module in (trainer, preprocess, pipelines)
}
_SKIPPED = ("__pycache__",)
_NAMES = {TRAINER: "beampose-trainer", ALL: "beampose"}


def build(packages: Sequence[str], folder: str | Path) -> Path:
    """Writes `<name>-<version>.tar.gz` for pip into a folder. Returns the file.

    Args:
      packages: `TRAINER`, which Vertex AI runs alone, or `ALL`, for the workers of Beam jobs.
    """
    name = _NAMES[tuple(packages)]
    root = f"{name.replace('-', '_')}-{__version__}"
    members = {"setup.py": _setup(name, packages).encode()}
    members["PKG-INFO"] = (
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {__version__}\n"
    ).encode()
    for package in packages:
        source = _FOLDERS[package]
        for path in sorted(source.rglob("*")):
            if path.is_file() and not any(part in _SKIPPED for part in path.parts):
                members[f"{package}/{path.relative_to(source).as_posix()}"] = path.read_bytes()
    target = Path(folder) / f"{root}.tar.gz"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(_compressed({f"{root}/{k}": v for k, v in members.items()}))
    return target


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _setup(name: str, packages: Sequence[str]) -> str:
    # What the packages need stands in the image of the job, which pins it.
    return (
        '"""Made by beampose."""\n\n'
        "from setuptools import find_packages, setup\n\n"
        f"setup(\n    name={name!r},\n    version={__version__!r},\n    license='Apache-2.0',\n"
        f"    packages=find_packages(include={[f'{p}*' for p in packages]!r}),\n"
        "    package_data={'trainer': ['builtin/*'], 'pipelines': ['*.json'],\n"
        "                  'pipelines.review': ['*.html']},\n"
        f"    python_requires='>=3.10,<3.14',\n)\n"
    )


def _compressed(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
