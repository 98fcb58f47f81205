"""JSON that anybody may have written: it is read whole, or refused in a sentence."""

import json
from typing import Any

from beampose.core import texts

# What the library says of a place, and what we say. In this order.
_CAUSES = (
    ("Expecting value", "a value is missing, or it is none of JSON's"),
    ("Expecting property name", "the name of a key must stand in double quotes"),
    ("Expecting ',' delimiter", "a comma or a closing bracket is missing"),
    ("Expecting ':' delimiter", "a colon is missing after the name of a key"),
    ("Extra data", "something stands behind its end"),
    ("Unterminated string", "a text has no closing quote, as in a file that was cut off"),
    (
        "Invalid control character",
        "a text holds a line break or a tab, which JSON writes \\n or \\t",
    ),
    ("Invalid \\", "a text holds a backslash that JSON does not have: it writes \\\\ for one"),
)
_SHOWN = 30


def parse(text: str | bytes, where: object) -> Any:
    """The value of a text.

    Args:
      where: the file or what else holds it, for errors.

    Raises:
      ValueError: it is not JSON, nested too deeply, or holds a number of thousands of digits.
    """
    try:
        told = texts.decode(text) if isinstance(text, bytes) else text
    except ValueError as error:
        raise ValueError(f"{where} {error}") from None
    told = told.removeprefix("\ufeff")
    if not told.strip():
        raise ValueError(f"{where} is not JSON: it is empty")
    try:
        return json.loads(told)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where} is not JSON: {_cause(error)}") from None
    except RecursionError:
        raise ValueError(f"{where} is not JSON: it is nested too deeply") from None
    except ValueError:
        raise ValueError(f"{where} is not JSON: it holds a number of thousands of digits") from None


def _cause(error: json.JSONDecodeError) -> str:
    """Says where a text is no JSON, and why."""
    text, at = error.doc, error.pos
    place = f"line {error.lineno}, column {error.colno}"
    if not text[at:].strip():
        return f"it ends too early ({place}), as a file that was cut off"
    found = text[at : at + _SHOWN].splitlines()[0]
    seen = f"{place}, at {found!r}" if found else place
    before = text[:at].rstrip()
    # Pythons differ in which of the two they point at.
    if error.msg.startswith("Illegal trailing comma") or (
        before.endswith(",") and text[at] in "]}"
    ):
        return f"{seen}: a comma stands before a closing bracket"
    cause = next((ours for said, ours in _CAUSES if error.msg.startswith(said)), "it is no value")
    return f"{seen}: {cause}"


def record(text: str | bytes, where: object, *keys: str) -> dict[str, Any]:
    """An object of a text that has some keys.

    Raises:
      ValueError: as of `parse`, or it is something else, or lacks a key.
    """
    return checked(parse(text, where), where, *keys)


def checked(value: Any, where: object, *keys: str) -> dict[str, Any]:
    """A value that must be an object with some keys.

    Raises:
      ValueError: it is not; the text says what is missing.
    """
    if not isinstance(value, dict):
        raise ValueError(f"{where} must hold an object of JSON. Received: {repr(value)[:80]}")
    missing = [key for key in keys if key not in value]
    if missing:
        raise ValueError(f"{where} is damaged or of something else: it lacks {missing[0]!r}")
    return value


def lines(text: str, where: object, *keys: str) -> list[dict[str, Any]]:
    """The objects of a text with one in each line, of which each has some keys.

    Raises:
      ValueError: as of `record`; the text names the line.
    """
    # Other ends of lines than these may stand in JSON's texts.
    each = enumerate(text.split("\n"), 1)
    return [record(line, f"{where}:{number}", *keys) for number, line in each if line.strip()]
