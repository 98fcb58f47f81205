"""JSON that anybody may have written: it is read whole, or refused in a sentence."""

import json
from typing import Any

from beampose.core import texts


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
    if not told.strip():
        raise ValueError(f"{where} is not JSON: it is empty")
    try:
        return json.loads(told)
    except (ValueError, RecursionError) as error:
        deep = isinstance(error, RecursionError)
        raise ValueError(
            f"{where} is not JSON: {'it is nested too deeply' if deep else error}"
        ) from None


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
