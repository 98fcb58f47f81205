"""Reference of the settings: a JSON schema for editors, a page for readers."""

import re
from typing import Any

import yaml

from beampose.core.settings import messages
from beampose.core.settings.section import Section

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema(kind: type[Section]) -> dict[str, Any]:
    """The JSON schema of a file of settings: editors complete and check it while it is written."""
    found = kind.model_json_schema()
    return {"$schema": DIALECT, **_without_titles(found)}


def page(kind: type[Section], title: str) -> str:
    """All settings of a file, in Markdown: a table for each section."""
    found = kind.model_json_schema()
    known = found.get("$defs", {})
    parts = [f"## {title}\n\n{found['description']}\n"]
    own, inner = [], []
    for key, one in found["properties"].items():
        if isinstance(each := one.get("additionalProperties"), dict) and "$ref" in each:
            inner.append((f"{key}.NAME", each))
        (inner if "$ref" in one else own).append((key, one))
    parts.append(_table(own, found))
    for key, one in inner:
        section = known[one["$ref"].rpartition("/")[2]]
        parts.append(f"### `{key}`\n\n{section['description']}\n")
        parts.append(_table(section["properties"].items(), section))
    return re.sub(r"docs/([\w-]+\.md)", r"[docs/\1](\1)", "\n".join(parts))


def _table(properties: Any, section: dict[str, Any]) -> str:
    lines = ["| key | value | default | |", "|---|---|---|---|"]
    for key, one in properties:
        needed = key in section.get("required", ())
        default = "must be set" if needed else _default(one)
        cells = (f"`{key}`", messages.expected(one), default, one.get("description", ""))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([*lines, ""])


def _default(one: dict[str, Any]) -> str:
    value = one.get("default", [] if one.get("type") == "array" else {})
    if value is None:
        return "unset"
    return f"`{yaml.safe_dump(value, default_flow_style=True).splitlines()[0]}`"


def _without_titles(found: Any) -> Any:
    """Leaves out the titles that pydantic makes of keys."""
    if isinstance(found, list):
        return [_without_titles(one) for one in found]
    if not isinstance(found, dict):
        return found
    return {
        key: _without_titles(one)
        for key, one in found.items()
        if not (key == "title" and isinstance(one, str))
    }
