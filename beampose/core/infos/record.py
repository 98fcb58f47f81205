"""Typed JSON: what every info has in common, and how one is read, checked and written."""

from collections.abc import Mapping
from typing import ClassVar, TypeVar

import pydantic
from pydantic import ConfigDict, JsonValue

Plain = dict[str, JsonValue]
R = TypeVar("R", bound="Record")
Kind = TypeVar("Kind", bound="Info")
# The newest format of every kind that this version knows.
FORMAT = 1


class Record(pydantic.BaseModel):
    """An object in a JSON file. Keys that are not known here are kept and written again."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True, protected_namespaces=())

    @pydantic.model_validator(mode="before")
    @classmethod
    def _of_json_types(cls, values: object) -> object:
        """Values of NumPy and tuples as what JSON makes of them: writers have both."""
        return _json_types(values)

    def plain(self) -> Plain:
        """What is written: the keys that were given, not those left at their defaults."""
        return self.model_dump(exclude_unset=True)

    def replace(self: R, **values: object) -> R:
        """The same with other values, checked like the first ones."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return type(self)(**{**given, **values})


class Info(Record):
    """A JSON file that says what it is.

    Attributes:
      kind: of the artefact.
      format: rises when a key changes its meaning, never when one is added.
      made_by: the version and the verb that wrote it.
    """

    # What the artefact is called in messages, the verb that makes it, and keys that it has in every
    # version: those before the first format had neither kind nor format.
    NAME: ClassVar[str]
    VERB: ClassVar[str]
    KEYS: ClassVar[tuple[str, ...]]

    kind: str = ""
    format: int = FORMAT
    made_by: str = ""

    def plain(self) -> Plain:
        return {"kind": self.NAME, "format": self.format, **super().plain()}


def parse(values: object, where: str, *kinds: type[Kind]) -> Kind:
    """An info from the JSON of a file.

    Args:
      where: the file.
      kinds: that it may be of.

    Raises:
      ValueError: it is of another kind, of a newer format, or damaged; the text names the file, the
        key, and what to do.
    """
    run = f"Run `beampose {kinds[0].VERB}`."
    if not isinstance(values, dict):
        raise ValueError(f"{where} must hold an object. Received: {_short(values)}. {run}")
    name = values.get("kind") or _recognised(values) or kinds[0].NAME
    kind = next((one for one in kinds if name == one.NAME), None)
    if kind is None:
        raise ValueError(f"{where} is of kind {name!r}, not {kinds[0].NAME!r}. {run}")
    format = values.get("format", FORMAT)
    if isinstance(format, int) and format > FORMAT:
        raise ValueError(
            f"{where} has format {format}; this beampose reads formats up to {FORMAT}. It was made "
            "by a newer beampose: update."
        )
    try:
        return kind.model_validate(values)
    except pydantic.ValidationError as error:
        raise ValueError(f"{where}: {_said(error)} {run}") from None


def _json_types(value: object) -> object:
    if isinstance(value, dict):
        return {key: _json_types(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_types(one) for one in value]
    return value.tolist() if hasattr(value, "tolist") else value  # pyright: ignore[reportAttributeAccessIssue]


def _recognised(values: Mapping[str, object]) -> str | None:
    """The kind of an info without one, which the version before the first format wrote."""
    for kind in Info.__subclasses__():
        if all(key in values for key in kind.KEYS):
            return kind.NAME
    return None


def _said(error: pydantic.ValidationError) -> str:
    """The first thing that is wrong: which key, what it must be, what it is."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return f"`{key}` is missing."
    wanted = first["msg"].removeprefix("Input should be ")
    return f"`{key}` must be {wanted}. Received: {_short(first['input'])}."


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
