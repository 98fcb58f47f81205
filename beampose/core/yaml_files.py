"""The one reader of YAML: plain values only, no key twice, nothing that grows once spelled out."""

import re
from typing import Any

import yaml

from beampose.core import files, storage, texts, yaml_faults

# Values of a file, counted as they would be spelled out.
_MOST_VALUES = 1_000_000
# How JSON writes a letter that takes more than four digits.
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
# Letters of a number: `1:59:59...` and `0xff...` cost their square to read or to print.
_MOST_LETTERS = 1000
_MERGE = "tag:yaml.org,2002:merge"


class _Once(yaml.SafeLoader):
    def __init__(self, text: str):
        self._text = text
        super().__init__(text)

    def scan_to_next_token(self) -> None:
        """As PyYAML, which refuses tabs where YAML takes them: not at the beginning of a line."""
        super().scan_to_next_token()
        while self.peek() == "\t":
            length = 1
            while self.peek(length) in "\t ":
                length += 1
            line = self._text.rfind("\n", 0, self.index) + 1
            if self.peek(length) not in "#\r\n\0" and not self._text[line : self.index].strip():
                return
            self.forward(length)
            super().scan_to_next_token()

    def compose_scalar_node(self, anchor: Any) -> yaml.ScalarNode:
        node = super().compose_scalar_node(anchor)
        raw = self._text[node.start_mark.index : node.end_mark.index]
        if found := yaml_faults.unusual(raw, node.value):
            raise yaml.MarkedYAMLError(None, None, found[0], node.start_mark, found[1])
        return node

    def construct_scalar(self, node: Any) -> str:
        return _PAIR.sub(_joined, super().construct_scalar(node))

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        # What PyYAML raises of a value that its tag does not fit, as of `!!bool x`.
        except (ValueError, LookupError, AttributeError, TypeError, ArithmeticError) as error:
            what = f"a value is not of the type that it or its tag (!!) says ({error})"
            raise yaml.MarkedYAMLError(None, None, what, node.start_mark) from None

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                if (key.tag, key.value) in seen:
                    problem = f"the key {key.value!r} is there twice"
                    what = "keep one of them"
                    raise yaml.MarkedYAMLError(None, None, problem, key.start_mark, what)
                seen.add((key.tag, key.value))
        return node

    def bounded_int(self, node: yaml.ScalarNode) -> int:
        if len(node.value) > _MOST_LETTERS:
            problem = f"a number has {len(node.value):,} letters, above {_MOST_LETTERS:,}"
            raise yaml.MarkedYAMLError(None, None, problem, node.start_mark)
        return self.construct_yaml_int(node)


def _joined(pair: re.Match[str]) -> str:
    return pair[0].encode("utf-16", "surrogatepass").decode("utf-16")


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
        raise files.missing(what, path)
    if most_bytes is not None and file.stat().st_size > most_bytes:
        raise ValueError(f"{path} is longer than {most_bytes:,} bytes.")
    try:
        text = texts.decode(file.read_bytes(), table=False)
    except ValueError as error:
        raise ValueError(f"{path} {error}.") from None
    return mapping(text, path)


def mapping(text: str, path: storage.Address, *, words: bool = False) -> dict[str, Any]:
    """The keys and values of the text of a YAML file; `words` as of `parse`.

    Raises:
      ValueError: as of `read`; the text names the file.
    """
    try:
        values = parse(text, words=words)
    except ValueError as error:
        raise ValueError(f"{path} is not a YAML file: {error}.") from None
    if not isinstance(values, dict):
        why = yaml_faults.no_mapping(values, text)
        kind = type(values).__name__
        raise ValueError(f"{path} must hold keys and values. Received: {kind}.{why}")
    return values


def parse(text: str | bytes, *, words: bool = False) -> Any:
    """The value a YAML text stands for.

    Anchors let a kilobyte stand for gigabytes once anything walks it or prints it, so values are
    counted as they would be spelled out.

    Args:
      words: takes `on`, `off`, `yes` and `no` for words, as YAML 1.2 and DeepLabCut do.

    Raises:
      ValueError: not YAML, a key twice, too deep, or too large once spelled out; the text says
        where, and what to do.
    """
    if isinstance(text, bytes):
        text = texts.decode(text, table=False)
    try:
        value = yaml.load(text, _Words if words else _Once)  # noqa: S506  Both are safe.
        count = _count(value, {})
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except yaml.YAMLError as error:
        raise ValueError(yaml_faults.sentence(error, text)) from None
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
