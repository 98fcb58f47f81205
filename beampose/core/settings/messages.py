"""Messages about wrong settings: name, expected values, received value, likely meaning."""

import difflib
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

if TYPE_CHECKING:
    from beampose.core.settings.section import Section

_UNKNOWN = ("extra_forbidden", "invalid_key")
_WORDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "text",
    "object": "a section of keys",
}
_ITEMS = {"integer": "whole numbers", "number": "numbers", "string": "words"}
# Longer lists of names are cut short.
_MOST_NAMES = 12


class _Place(NamedTuple):
    """A setting: its name, what may stand there as JSON schema, and what does."""

    name: str
    schema: dict[str, Any]
    value: Any


def sentence(error: ValidationError, kind: "type[Section]", values: Any) -> str:
    """Says the first thing that is wrong with a section; an unknown key before anything else."""
    return sentences(error, kind, values)[0]


def sentences(error: ValidationError, kind: "type[Section]", values: Any) -> list[str]:
    """Says each thing that is wrong with a section, unknown keys before anything else."""
    found = error.errors(include_url=False)
    schema = kind.model_json_schema()
    ordered = sorted(found, key=lambda one: one["type"] not in _UNKNOWN)
    return [_sentence(one, kind, schema, values) for one in ordered]


def _sentence(first: Any, kind: "type[Section]", schema: dict[str, Any], values: Any) -> str:
    known = schema.get("$defs", {})
    loc = first["loc"]
    if first["type"] in _UNKNOWN:
        section = _find(schema, known, values, loc[:-1])
        names = section.schema.get("properties", {})
        said = f"There is no setting {_join(kind, section.name, loc[-1])!r}."
        if there := _in_sections(loc[-1], schema, known):
            return f"{said} Did you mean {' or '.join(map(repr, there))}?"
        return said + _meant(loc[-1], {key: _join(kind, section.name, key) for key in names})
    place = _find(schema, known, values, loc)
    name = _join(kind, place.name)
    if first["type"] == "missing":
        return f"The setting {name!r} is missing."
    told = str(first.get("ctx", {}).get("error", ""))
    if told and "properties" in place.schema:
        return told
    told = told or f"must {_must(place.schema)}"
    names = {str(one): str(one) for one in _names(place.schema)}
    return f"{name or 'The file'} {told}. Received: {_shown(place.value)}." + _meant(
        first["input"], names
    )


def expected(schema: dict[str, Any]) -> str:
    """Names what a JSON schema lets through, as `a whole number from 1 to 16`."""
    names = _names(schema)
    if names and len(names) <= _MOST_NAMES:
        several = "a list of some" if schema.get("type") == "array" else "one"
        return f"{several} of {', '.join(names)}"
    if names:
        return f"one of {len(names)} names such as {schema['examples'][0]}"
    if "anyOf" in schema and "examples" not in schema:
        return " or ".join(expected(one) for one in schema["anyOf"] if one.get("type") != "null")
    if schema.get("type") == "array":
        return f"a list of {_ITEMS.get(schema['items'].get('type'), 'values')}"
    if "examples" in schema:
        return f"text like {schema['examples'][0]}"
    return _WORDS.get(schema.get("type", "object"), "a value") + _range(schema)


def _must(schema: dict[str, Any]) -> str:
    text = expected(schema)
    return text.replace("text like", "look like", 1) if "text like" in text else f"be {text}"


def _range(schema: dict[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    above, multiple = schema.get("exclusiveMinimum"), schema.get("multipleOf")
    text = ""
    if low is not None:
        text = (
            f" of {_figure(low)} or more" if high is None else f" from {low:g} to {_figure(high)}"
        )
    elif above is not None:
        text = f" above {above:g}"
    return f"{text} that is a multiple of {multiple}" if multiple else text


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1e5 else f"{value:g}"


def _names(schema: dict[str, Any]) -> list[str]:
    """The names of which a setting is one, or holds some."""
    for one in (schema, schema.get("items", {}), *schema.get("anyOf", ())):
        if isinstance(one, dict) and ("enum" in one or "const" in one):
            return one.get("enum") or [one["const"]]
    return []


def _find(schema: dict[str, Any], known: dict[str, Any], value: Any, loc: Any) -> _Place:
    """Follows keys into a schema and the values, as far as they lead."""
    names = []
    schema = _resolved(schema, known)
    for key in loc:
        inner = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
        if not isinstance(inner, dict):
            break
        names.append(str(key))
        schema = _resolved(inner, known)
        value = value.get(key) if isinstance(value, dict) else None
    return _Place(".".join(names), schema, value)


def _resolved(schema: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return known[schema["$ref"].rpartition("/")[2]]
    return schema


def _join(kind: "type[Section]", *parts: Any) -> str:
    """The full name of a setting; a section that stands alone is called by its class."""
    alone = [] if kind.whole_file else [kind.__name__.lower()]
    return ".".join([*alone, *(str(part) for part in parts if part != "")])


def _in_sections(key: Any, schema: dict[str, Any], known: dict[str, Any]) -> list[str]:
    """The settings that a file has under this key in its sections."""
    sections = {
        name: _resolved(one, known).get("properties", {})
        for name, one in schema.get("properties", {}).items()
    }
    return [f"{name}.{key}" for name, inner in sections.items() if key in inner]


def _meant(value: Any, names: dict[str, str]) -> str:
    """Asks for the name, of those by key, that is most like a value."""
    plain = {key.lower().replace("-", "_"): shown for key, shown in names.items()}
    close = difflib.get_close_matches(str(value).lower().replace("-", "_"), plain, n=1)
    return f" Did you mean {plain[close[0]]!r}?" if close else ""


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
