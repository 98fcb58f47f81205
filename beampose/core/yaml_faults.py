"""Says what is wrong in a text that is not YAML, where, and what to do; in place of PyYAML's words.

PyYAML tells where it could not go on, which is often the line after the one that is wrong.
"""

import re
import unicodedata
from typing import NamedTuple

import yaml

from beampose.core import texts

_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
# Letters of a line that an error shows.
_SHOWN = 40
_LONGEST_KEY = 1024
_CLOSING = {"[": "]", "{": "}"}
# A key, what follows its colon without a space; no address, and no drive of Windows.
_UNSPACED = re.compile(r"\s*(?:- +)*([^\s:#'\"\[\]{},]+):([^\s:/\\].*)")
_DASHES = "\u2010\u2012\u2013\u2014\u2022\u00b7*"
_OPENING = "\u201c\u201d\u201e\u2018\u2019\u201a"
_UNSEEN = "\u00a0\u2007\u202f\u3000"
_CONFLICT = re.compile(r"(<{7}|={7}|>{7})( |$)")
_BACKSLASH = "a backslash in double quotes stands for another sign with the letter after it"
_ONE_COLUMN = "begin the keys of a section in one column"
_SECTION = f"{_ONE_COLUMN}, and end the section's own line in a colon"


class _Wrong(NamedTuple):
    """What is wrong, at which line and column, counted from 0, and what to do."""

    what: str
    line: int
    column: int
    do: str = ""

    def __str__(self) -> str:
        do = f": {self.do}" if self.do else ""
        return f"{self.what} (line {self.line + 1}, column {self.column + 1}){do}"


class _Fault(NamedTuple):
    """An error of PyYAML: its words, where it stood, where what it was reading began, and lines."""

    problem: str
    line: int
    column: int
    start: tuple[int, int]
    lines: list[str]

    @property
    def left(self) -> str:
        return self.lines[self.line][: self.column]

    @property
    def right(self) -> str:
        return self.lines[self.line][self.column :]

    def before(self) -> int | None:
        """The line with a text before the one that PyYAML stood in."""
        found = (i for i in range(self.line - 1, -1, -1) if not _is_blank(self.lines[i]))
        return next(found, None)


def sentence(error: yaml.YAMLError, text: str) -> str:
    """What is wrong, in one line without a full stop.

    Args:
      text: that could not be read.
    """
    if isinstance(error, yaml.reader.ReaderError):
        before = _BREAK.split(text[: error.position])
        sign = f"a sign that no text has (U+{ord(text[error.position]):04X})"
        return str(_Wrong(sign, len(before) - 1, len(before[-1]), "remove it"))
    mark = getattr(error, "problem_mark", None)
    if not isinstance(error, yaml.MarkedYAMLError) or mark is None:
        return " ".join(str(error).split())
    first = error.context_mark or mark
    lines = [*_BREAK.split(text), ""]
    fault = _Fault(error.problem or "", mark.line, mark.column, (first.line, first.column), lines)
    for pattern, rule in _RULES:
        if re.search(pattern, fault.problem) and (found := rule(fault)):
            return str(found)
    return str(_Wrong(fault.problem, fault.line, fault.column, error.note or ""))


def no_mapping(value: object, text: str) -> str:
    """Why a text that is YAML holds no keys and values."""
    if not isinstance(value, str):
        return "" if value is not None else " It is empty."
    for number, line in enumerate(_BREAK.split(text)):
        if not _is_blank(line) and (found := _of_key(number, line)):
            return f" {str(found)[0].upper()}{str(found)[1:]}."
    return ""


def _of_key(number: int, line: str) -> _Wrong | None:
    """What is wrong with a line that should begin with a key; None if that is not known."""
    shown, indent = _shown(line), _indent(line)
    if not shown:
        return None
    if _CONFLICT.match(line):
        what, do = "two versions of git stand side by side", "keep one, and remove the marks"
        return _Wrong(what, number, 0, do)
    if unusual := re.search("[:-]([\u00a0\u2000-\u200b\u202f\u3000\ufeff])", line):
        what = f"a space of another kind ({_name(unusual[1])}) stands for a plain one"
        return _Wrong(what, number, unusual.start(1), "write that")
    if "\uff1a" in line:
        column = line.index("\uff1a")
        what = "a wide colon stands for a plain one"
        return _Wrong(what, number, column, "write : and a space")
    if shown[0] in _DASHES and not shown.startswith("**"):
        what = f"an item of a list begins with {shown[0]!r}"
        return _Wrong(what, number, indent, "write - and a space")
    if re.match(r"-[^\s-]", shown):
        what = f"{shown!r} lacks a space after its dash"
        return _Wrong(what, number, indent + 1, f"write `- {shown[1:]}`")
    if match := _UNSPACED.match(line):
        what = f"{shown!r} lacks a space after its colon"
        return _Wrong(what, number, match.start(2), f"write `{match[1]}: {_shown(match[2])}`")
    if match := re.match(r"\s*([\w.\"'-]+)\s*=\s*(.*)", line):
        what = f"{shown!r} has = for a colon, as TOML and INI"
        return _Wrong(what, number, match.start(2), f"write `{match[1]}: {_shown(match[2])}`")
    return None


def _no_colon(fault: _Fault) -> _Wrong:
    number, column = fault.start
    line = fault.lines[number]
    if found := _of_key(number, line):
        return found
    shown = _shown(line)
    key, _, value = shown.partition(" ")
    do = f"write `{key}: {value}`" if value else f"write `{key}:`"
    return _Wrong(f"{shown!r} has no colon after its key", number, column, do)


def _second_colon(fault: _Fault) -> _Wrong | None:
    """A colon where none may be: of a second key in a line, or of a line that goes on another."""
    line, left, before = fault.lines[fault.line], fault.left, fault.before()
    if len(left.strip()) > _LONGEST_KEY:
        what = f"a key of more than {_LONGEST_KEY:,} letters"
        return _Wrong(what, fault.line, _indent(line), "give its text quotation marks")
    if first := re.search(r":\s+", left):
        value = _value(line[first.end() :])
        what = f"a second colon in {_shown(line)!r}"
        do = f"put the value in quotes, {_quoted(value)}, or each key on a line of its own"
        return _Wrong(what, fault.line, fault.column, do)
    if before is None:
        return None
    above = fault.lines[before]
    if found := _of_key(before, above):
        return found
    if _indent(line) > _indent(above):
        what = (
            f"{_shown(line)!r} is indented by {_indent(line)}, the line before it by "
            f"{_indent(above)}, which is no section"
        )
        return _Wrong(what, fault.line, _indent(line), _SECTION)
    if ":" not in above:
        return _no_colon(fault._replace(start=(before, _indent(above))))
    return None


def _sign(fault: _Fault) -> _Wrong | None:
    """A value that begins with a sign that means something to YAML."""
    # A tag is told by its own place, others by the place that was begun.
    number, column = fault.start if "scalar" not in fault.problem else (fault.line, fault.column)
    if "cannot start any token" in fault.problem:
        number, column = fault.line, fault.column
    line = fault.lines[number]
    value = _value(line[column:])
    if re.search(r"[\[{]", line[:column]):
        value = re.split(r"[,\]}]", value)[0]
    if value.startswith("\t"):
        what = f"a tab stands before {_shown(value)!r}"
        return _Wrong(what, number, column, "write spaces")
    if value.startswith("!!"):
        tag = value.split()[0]
        return _Wrong(
            f"a value has the tag {_shown(tag)}, which is not read", number, column, "remove it"
        )
    if not value or value[0] not in "@`%*&!|>":
        return None
    what = f"a value begins with {value[0]}, which means something to YAML"
    return _Wrong(what, number, column, f"put it in quotes, {_quoted(value)}")


def _open_quote(fault: _Fault) -> _Wrong:
    number, column = fault.start
    mark = fault.lines[number][column : column + 1]
    what = f"the quotation mark {mark} is not closed"
    return _Wrong(what, number, column, f"close it with {mark}")


def _backslash(fault: _Fault) -> _Wrong:
    number, column = fault.start
    return _Wrong(_BACKSLASH, number, column, _plainly(fault.lines[number][column + 1 :]))


def _plainly(rest: str) -> str:
    path = _shown(rest.partition('"')[0].replace("\\", "/"))
    return f"write paths with /, as in {path}, or in single quotes"


def _open_bracket(fault: _Fault) -> _Wrong | None:
    number, column = fault.start
    opening = fault.lines[number][column : column + 1]
    closing = _CLOSING.get(opening)
    if closing is None:
        return None
    if fault.right[:1] in ("]", "}"):
        what = f"the {opening} is closed by {fault.right[0]}"
        return _Wrong(what, number, column, f"close it with {closing}")
    if number == fault.line and fault.right.strip():
        what = f"a comma or {closing} is missing before {_shown(fault.right)!r}"
        return _Wrong(what, fault.line, fault.column)
    return _Wrong(f"the {opening} is not closed", number, column, f"close it with {closing}")


def _no_value(fault: _Fault) -> _Wrong | None:
    """A sign, or the end, where a value should begin."""
    if fault.right.strip():
        what = f"no value stands before {_shown(fault.right)!r}"
        return _Wrong(what, fault.line, fault.column, "write one, or put all of it in quotes")
    text = "\n".join(fault.lines[: fault.line + 1])
    at = max(text.rfind("["), text.rfind("{"))
    if at < 0:
        return None
    number = text.count("\n", 0, at)
    column = at - (text.rfind("\n", 0, at) + 1)
    return _open_bracket(fault._replace(start=(number, column)))


def _second_document(fault: _Fault) -> _Wrong:
    what = f"{_shown(fault.lines[fault.line])!r} begins a second document"
    return _Wrong(what, fault.line, fault.column, "keep one, and remove the other with this line")


def _block(fault: _Fault) -> _Wrong | None:
    """Something that does not belong to the section it stands in."""
    shown, number = _shown(fault.lines[fault.line]), fault.line
    if "scalar" in fault.problem:
        return _after_quote(fault)
    if re.search(r"found '[\]}]'", fault.problem):
        what = f"{fault.right[:1]} closes nothing"
        return _Wrong(what, number, fault.column, "open it, remove it or put the value in quotes")
    if "block" in fault.problem.rpartition("found")[2] and fault.left.strip(" ") == "":
        what = f"{shown!r} is indented by {fault.column}, as no section above is"
        return _Wrong(what, number, fault.column, _ONE_COLUMN)
    if "'-'" in fault.problem:
        what = f"the item {shown!r} of a list stands among keys"
        return _Wrong(what, number, fault.column, "put it below the key that it belongs to")
    if "'?'" in fault.problem:
        what = f"the key {shown!r} stands among items of a list"
        return _Wrong(what, number, fault.column, "put the list below a key")
    return None


def _after_quote(fault: _Fault) -> _Wrong | None:
    mark = fault.left.rstrip(" ")[-1:]
    if mark not in ("'", '"'):
        return None
    odd = [i for i in range(fault.line + 1) if fault.lines[i].count(mark) % 2]
    if odd and odd[0] < fault.line:
        column = fault.lines[odd[0]].rindex(mark)
        what = f"the quotation mark {mark} is not closed in its line"
        return _Wrong(what, odd[0], column, f"close it with {mark}")
    what = f"{_shown(fault.right)!r} follows a closing quotation mark"
    do = "put all of the value in double quotes"
    if mark == '"':
        do = f"put all of the value in one pair, and write \\{mark} for one inside it"
    return _Wrong(what, fault.line, fault.column, do)


def _outside(fault: _Fault) -> _Wrong | None:
    """Something after what was taken for all of the document."""
    ended = [i for i in range(fault.line) if fault.lines[i].strip() == "..."]
    if ended:
        what = "the line ... ends the document, and something follows"
        return _Wrong(what, ended[-1], 0, "remove the line")
    for number in range(fault.line + 1):
        line = fault.lines[number]
        if line.startswith("%"):
            return _Wrong("a line begins with %", number, 0, "put # before it, or quotes around it")
        if not _is_blank(line) and (found := _of_key(number, line)):
            return found
    before = fault.before()
    if before is not None and _indent(fault.lines[before]) > fault.column:
        what = f"{_shown(fault.lines[fault.line])!r} is indented less than the first line"
        return _Wrong(what, fault.line, fault.column, _ONE_COLUMN)
    return None


def _dash(fault: _Fault) -> _Wrong:
    what = f"an item of a list, {_shown(fault.right)!r}, stands in the line of its key"
    return _Wrong(what, fault.line, fault.column, "begin the list in the next line")


def _misplaced(fault: _Fault) -> _Wrong:
    what = f"{_shown(fault.lines[fault.line]) or 'the end'!r} does not follow from what is before"
    do = "look for a quotation mark, a bracket, a colon or spaces that are missing"
    return _Wrong(what, fault.line, fault.column, do)


def _no_key(fault: _Fault) -> _Wrong:
    what = "a key is a list or has keys of its own"
    return _Wrong(what, fault.line, fault.column, "put quotes around what is in double braces")


def _second_anchor(fault: _Fault) -> _Wrong:
    what = f"the anchor {_shown(fault.right).split()[0]} is there twice"
    return _Wrong(what, fault.line, fault.column, "rename one of them, and what refers to it")


_RULES = (
    ("could not find expected ':'", _no_colon),
    ("mapping values are not allowed", _second_colon),
    ("unexpected end of stream|unexpected document separator", _open_quote),
    ("escape", _backslash),
    ("cannot start any token|alphabetic or numeric|undefined alias|constructor", _sign),
    ("chomping|comment or a line break|expected URI", _sign),
    ("expected ',' or", _open_bracket),
    ("node content", _no_value),
    ("another document", _second_document),
    ("<block end>", _block),
    ("<document start>", _outside),
    ("sequence entries", _dash),
    ("mapping values|block end|document start", _misplaced),
    ("unhashable", _no_key),
    ("second occurrence", _second_anchor),
)


def unusual(raw: str, value: str) -> tuple[str, str] | None:
    """What is wrong with a value that is YAML and not what was meant, and what to do; or None.

    Args:
      raw: as it stands in the file, with quotation marks if it has any.
      value: that it stands for.
    """
    if re.match(r'"[A-Za-z]:\\[^\\]', raw):
        return _BACKSLASH, _plainly(raw[1:])
    if len(raw) > 1 and raw[0] in _OPENING and raw[-1] in _OPENING + "\"'":
        return f"{_shown(raw)} has quotation marks of a text program", "write \" or ' on both sides"
    if value and (unicodedata.category(value[0]) == "Cf" or value[0] in _UNSEEN):
        what = f"{_shown(value)!r} begins with a sign that is not seen ({_name(value[0])})"
        return what, "remove it"
    return None


def _value(text: str) -> str:
    """A value up to its comment."""
    return re.split(r"\s+#", text.rstrip())[0]


def _quoted(value: str) -> str:
    shown = _shown(value)
    return f"'{shown}'" if "'" not in shown else f'"{shown}"'


def _shown(text: str) -> str:
    found = texts.printable(text.strip())
    return found if len(found) <= _SHOWN else f"{found[:_SHOWN]}\u2026"


def _name(sign: str) -> str:
    return f"U+{ord(sign):04X}"


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _is_blank(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")
