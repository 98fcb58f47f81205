"""Which public sets there are, and what files they have."""

import csv
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from beampose.core import yaml_files
from beampose.core.wording import counted

HERE = Path(__file__).parent
RAW = "https://raw.githubusercontent.com"


@dataclasses.dataclass(frozen=True)
class Published:
    """A file of a set.

    Attributes:
      path: below the folder of the set.
      source: below the root of its repository.
      bytes, sha256: what it must be.
    """

    path: str
    source: str
    bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class PublicSet:
    """A set.

    Attributes:
      title: what is in it.
      licence: as its publisher states it.
      repository, commit: on GitHub; without a commit it is only linked.
      address: of a set that is only linked.
      note: how that was made into what the figures were measured on.
    """

    name: str
    title: str
    licence: str
    repository: str = ""
    commit: str = ""
    address: str = ""
    note: str = ""

    @property
    def page(self) -> str:
        """Where a person finds it."""
        return self.address or f"https://github.com/{self.repository}/tree/{self.commit}"

    def files(self) -> list[Published]:
        """Its files; none if it is only linked."""
        if not self.commit:
            return []
        with open(HERE / "files" / f"{self.name}.csv", newline="", encoding="utf-8") as file:
            return [
                Published(row["path"], row["source"], int(row["bytes"]), row["sha256"])
                for row in csv.DictReader(file)
            ]

    def url(self, file: Published, mirror: str | None = None) -> str:
        """Address of a file, or of its copy below a mirror, which has `NAME/path`."""
        if mirror:
            return f"{mirror.rstrip('/')}/{self.name}/{quote(file.path)}"
        return f"{RAW}/{self.repository}/{self.commit}/{quote(file.source)}"


def all_sets() -> dict[str, PublicSet]:
    """The sets by their names."""
    found = yaml_files.read(HERE / "sets.yaml", "list of sets")
    return {name: PublicSet(name, **one) for name, one in found.items()}


def described(one: PublicSet) -> Iterator[str]:
    """Lines for a person."""
    files = one.files()
    size = (
        f"{counted(len(files), 'file')}, {sum(f.bytes for f in files) / 1e6:.1f} MB"
        if files
        else "linked"
    )
    yield f"{one.name}: {one.title} ({size}; {one.licence})"
    yield f"  {one.page}"
    if one.note:
        yield f"  {one.note}"
