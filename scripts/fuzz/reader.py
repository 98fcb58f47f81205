"""What a reader of the fuzz is, and what several subjects begin from."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

# Labeled images of a film.
NAMES = [f"labeled-data/cam1/img{i}.png" for i in range(3)]


class Reader(NamedTuple):
    """A reader: the name its file has, files to begin from, and how it is called with a path."""

    file: str
    seeds: list[bytes]
    read: Callable[[Path], Any]


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def as_yaml(value: Any) -> bytes:
    return yaml.safe_dump(value, sort_keys=False).encode()
