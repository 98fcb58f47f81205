"""Checks of settings; each says what is expected and what was received."""

import difflib
import typing


def one_of(name: str, value: str, options: typing.Sequence[str]) -> None:
    if value not in options:
        close = difflib.get_close_matches(value, options, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"{name} must be one of {', '.join(options)}. Received: {value!r}.{hint}")


def within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} must be from {low:g} to {high:g}. Received: {value}.")


def is_crop(values: list[int]) -> bool:
    return len(values) == 4 and 0 <= values[0] < values[1] and 0 <= values[2] < values[3]
