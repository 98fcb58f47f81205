"""What a request to Cloud Storage is about: the file or folder, and what shall be done with it."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

READ, WRITTEN, LISTED, REMOVED = "read", "written", "listed", "removed"
_DOING = {"GET": READ, "HEAD": READ, "DELETE": REMOVED}
_PLACE = re.compile(r"\bb/([^/?]+)(?:/o(?:/([^/?]*))?)?")
# Bytes of an upload in which its name stands.
_HEAD = 1 << 14


class Call(NamedTuple):
    """A request.

    Attributes:
      bucket: "" if it is not known.
      doing: one of the words above.
      address: of the object or folder.
      of_object: whether an object must be there already; the bucket always must.
    """

    bucket: str
    doing: str
    address: str
    of_object: bool


def of(method: str, path: str, words: tuple[Any, ...], options: Mapping[str, Any]) -> Call:
    """The call that gcsfs makes by these arguments of its `_call`."""
    doing = _DOING.get(method.upper(), WRITTEN)
    given = tuple(map(str, words))
    bucket, name = (*given, "", "")[:2] if path.startswith("b/{}") else _parts(path)
    of_object = bool(name)
    if doing == READ and bucket and not name:
        name = str(options.get("prefix") or "")
        # Gcsfs lists an object alone where it may not ask for it.
        doing = READ if name and options.get("maxResults") == 1 else LISTED
    elif doing == WRITTEN and not name:
        name = _named(path, options)
    address = f"gs://{bucket}/{name}".rstrip("/") if bucket else path
    return Call(bucket, doing, address, of_object)


def _parts(path: str) -> tuple[str, str]:
    found = _PLACE.search(urlsplit(path).path)
    return (unquote(found[1]), unquote(found[2] or "")) if found else ("", "")


def _named(path: str, options: Mapping[str, Any]) -> str:
    """The name that an upload gives: in its address, or in what is sent."""
    if name := parse_qs(urlsplit(path).query).get("name"):
        return name[0]
    sent, data = options.get("json"), options.get("data")
    if isinstance(sent, dict):
        return str(sent.get("name", ""))
    if not isinstance(data, (bytes, bytearray, memoryview)):
        return ""
    # The parts of a multipart message: the first is JSON.
    _, _, rest = bytes(data[:_HEAD]).partition(b"\n\n")
    try:
        return str(json.loads(rest.partition(b"\n--")[0])["name"])
    except (ValueError, KeyError, TypeError):
        return ""
