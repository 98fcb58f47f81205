"""A section of settings: declared once, each with its type, range, default and sentence."""

import dataclasses
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from beampose.core.settings import messages

HEAD, ANIMALS, FINETUNING, VIEWS = "head", "animals", "finetuning", "views"


@dataclasses.dataclass(frozen=True)
class Affects:
    """Marks whose outcome a setting changes; unmarked settings change that of a head."""

    parts: frozenset[str]

    @classmethod
    def only(cls, *parts: str) -> "Affects":
        return cls(frozenset(parts))


@dataclasses.dataclass(frozen=True)
class Formerly:
    """Marks a setting that the data chooses where it is unset, with the default it had before.

    A digest takes the two as the same, so that what was made before is still known.
    """

    value: Any


def setting(default: Any, description: str, **bounds: Any) -> Any:
    """A setting with a default: its sentence, and the bounds of its values."""
    if default == []:
        return Field(default_factory=list, description=description, **bounds)
    return Field(default, description=description, **bounds)


class IsPath:
    """Marks a setting whose paths are relative to the file it stands in."""


PATH = IsPath()


class Section(BaseModel):
    """Settings that cannot be changed; see `changed`. An unknown key is an error."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True
    )

    # A file of its own; others are called by their class, as they are inside one.
    whole_file: ClassVar[bool] = False

    @model_validator(mode="before")
    @classmethod
    def _empty_is_default(cls, values: Any) -> Any:
        return {} if values is None else values


S = TypeVar("S", bound=Section)


def _number(value: Any) -> Any:
    # PyYAML reads 1e-3 as a string.
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _crop(value: list[int]) -> list[int]:
    if len(value) == 4 and 0 <= value[0] < value[1] and 0 <= value[2] < value[3]:
        return value
    raise ValueError("must be x1, x2, y1, y2 with 0 <= x1 < x2 and 0 <= y1 < y2")


LIKE_A_NUMBER = BeforeValidator(_number)
Number = Annotated[float, LIKE_A_NUMBER]
# Ranges precede the validator, of optional numbers too: the JSON schema would lack them.
Share = Annotated[float, Field(ge=0, le=1), LIKE_A_NUMBER]
Positive = Annotated[float, Field(gt=0), LIKE_A_NUMBER]
Scale = Annotated[float, Field(ge=0.05, le=4), LIKE_A_NUMBER]
Angle = Annotated[float, Field(ge=0, le=180), LIKE_A_NUMBER]
Seconds = Annotated[float, Field(ge=0, le=1e9), LIKE_A_NUMBER]
Count = Annotated[int, Field(ge=1, le=100_000_000)]
BatchSize = Annotated[int, Field(ge=1, le=4096)]
Crop = Annotated[
    list[int],
    AfterValidator(_crop),
    WithJsonSchema(
        {
            "type": "array",
            "items": {"type": "integer", "minimum": 0},
            "minItems": 4,
            "maxItems": 4,
        }
    ),
]


def from_dict(kind: type[S], values: Any) -> S:
    """Settings from plain values, under the keys of the file.

    Raises:
      ValueError: an unknown key, or a value of another type or out of range.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise ValueError(messages.sentence(error, kind, values)) from None


def problems(kind: type[Section], values: Any) -> list[str]:
    """All that `from_dict` would refuse, not only the first; none if they are right."""
    try:
        kind.model_validate(values)
    except ValidationError as error:
        return messages.sentences(error, kind, values)
    return []


def to_dict(section: Section) -> dict[str, Any]:
    """The plain values of a section, under the keys of the file."""
    return section.model_dump(by_alias=True)


def changed(section: S, **changes: Any) -> S:
    """A copy with other values, checked as those of a file are.

    Args:
      changes: values by attribute; of a section inside, the settings that change are enough.
    """
    values = to_dict(section)
    for name, value in changes.items():
        key = name.rstrip("_")
        if isinstance(value, dict) and isinstance(getattr(section, name), Section):
            value = values[key] | value
        values[key] = to_dict(value) if isinstance(value, Section) else value
    return from_dict(type(section), values)


def outcome(section: Section, *parts: str) -> dict[str, Any]:
    """The settings that change the outcome of `parts`, where they differ from their defaults.

    What a digest holds: a new setting leaves the digests of all who do not use it as they are.
    """
    found = {}
    for name, field in type(section).model_fields.items():
        marks = [one.parts for one in field.metadata if isinstance(one, Affects)]
        value = getattr(section, name)
        affected = marks[0] if marks else {HEAD}
        former = [one.value for one in field.metadata if isinstance(one, Formerly)]
        plain = [field.get_default(call_default_factory=True), *former]
        if affected & set(parts) and value not in plain:
            found[name] = value
    return found


def asked(section: Section, *parts: str) -> dict[str, Any]:
    """As `outcome`, and which settings are set to what was their default before the data chose.

    `outcome` takes these for unset, for which the data may choose another value.
    """
    given = [
        name
        for name, field in type(section).model_fields.items()
        for one in field.metadata
        if isinstance(one, Formerly) and getattr(section, name) == one.value
    ]
    return outcome(section, *parts) | ({"given": given} if given else {})


def absolute(kind: type[Section], values: dict[str, Any], resolve: Any) -> dict[str, Any]:
    """Unchecked values of a file, with `resolve` called on each of its paths."""
    found = dict(values)
    for name, field in kind.model_fields.items():
        key = field.alias or name
        value, inner = found.get(key), field.annotation
        if isinstance(value, dict) and isinstance(inner, type) and issubclass(inner, Section):
            found[key] = absolute(inner, value, resolve)
        elif PATH in field.metadata and isinstance(value, list):
            found[key] = [resolve(one) if isinstance(one, str) else one for one in value]
        elif PATH in field.metadata and isinstance(value, str):
            found[key] = resolve(value)
    return found
