"""The one reader of YAML: plain values only, no key twice, nothing that grows once spelled out."""

import re
from typing import Any

import yaml

from beampose.core import placeholders, storage

# Values of a file, counted as they would be spelled out.
_MOST_VALUES = 1_000_000
# Letters of a number: `1:59:59...` and `0xff...` cost their square to read or to print.
_MOST_LETTERS = 1000
_MERGE = "tag:yaml.org,2002:merge"


class _Once(yaml.SafeLoader):
    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                if (key.tag, key.value) in seen:
                    problem = f"the key {key.value!r} is there twice"
                    raise yaml.MarkedYAMLError(None, None, problem, key.start_mark)
                seen.add((key.tag, key.value))
        return node

    def bounded_int(self, node: yaml.ScalarNode) -> int:
        if len(node.value) > _MOST_LETTERS:
            problem = f"a number has {len(node.value):,} letters, above {_MOST_LETTERS:,}"
            raise yaml.MarkedYAMLError(None, None, problem, node.start_mark)
        return self.construct_yaml_int(node)


# Of the readers below, too.
_Once.add_constructor("tag:yaml.org,2002:int", _Once.bounded_int)


class _Words(_Once):
    """YAML 1.2, as DeepLabCut's reader takes it: `NO`, `on`, `yes` and `12:30` are words."""

    yaml_implicit_resolvers = {}

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        text = str(self.construct_scalar(node)).replace("_", "")
        return int(text, 0) if text.lstrip("+-")[:2].lower() in ("0o", "0x", "0b") else int(text)


for _tag, _pattern, _first in (
    ("bool", "true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", "~|null|Null|NULL|", ("~", "n", "N", "")),
    ("int", "[-+]?(0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)", "-+0123456789"),
    (
        "float",
        r"[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*|[0-9][0-9_]*(?=[eE]))([eE][-+]?[0-9]+)?"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
    ("merge", "<<", "<"),
):
    _Words.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first)
    )


def read(path: storage.Address, what: str, *, most_bytes: int | None = None) -> dict[str, Any]:
    """The keys and values of a YAML file, unchecked.

    Args:
      what: the kind of file, as an error calls it.
      most_bytes: that the file may have.

    Raises:
      FileNotFoundError: no such file.
      ValueError: not YAML, no mapping, too long, too deep, or too large once spelled out.
    """
    file = storage.place(path)
    if not file.is_file():
        raise placeholders.missing(what, path)
    if most_bytes is not None and file.stat().st_size > most_bytes:
        raise ValueError(f"{path} is longer than {most_bytes:,} bytes.")
    try:
        values = parse(file.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is not a YAML file: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path} must hold keys and values. Received: {type(values).__name__}.")
    return values


def parse(text: str | bytes, *, words: bool = False) -> Any:
    """The value a YAML text stands for.

    Anchors let a kilobyte stand for gigabytes once anything walks it or prints it, so values are
    counted as they would be spelled out.

    Args:
      words: takes `on`, `off`, `yes` and `no` for words, as YAML 1.2 and DeepLabCut do.

    Raises:
      ValueError: not YAML, a key twice, too deep, or too large once spelled out.
    """
    try:
        value = yaml.load(text, _Words if words else _Once)  # noqa: S506  Both are safe.
        count = _count(value, {})
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None
    # What PyYAML raises of a value that its tag does not fit, as of `!!bool x`.
    except (ValueError, LookupError, AttributeError, TypeError, ArithmeticError) as error:
        what = f"a value is not of the type that it or its tag (!!) says ({error})"
        raise ValueError(what) from None
    if count > _MOST_VALUES:
        raise ValueError("it holds too many values once its anchors are spelled out")
    return value


def _count(value: Any, known: dict[int, int]) -> int:
    if not isinstance(value, (dict, list)):
        return 1
    if id(value) not in known:
        inner = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_count(one, known) for one in inner)
    return known[id(value)]
