"""The address of a project's page, so that it is the same after a restart and an open page goes on.

It holds the token, so it is kept where only its owner reads it.
"""

import hashlib
import json
import os
import secrets
from pathlib import Path
from typing import NamedTuple

from beampose.core import files


class Known(NamedTuple):
    """Token and port of a project's page; port 0 is any."""

    token: str
    port: int = 0


def of(root: str) -> Known:
    """The address of a project's page; a new one where none was kept or it cannot be read."""
    try:
        said = json.loads(_file(root).read_text(encoding="utf-8"))
        token, port = said["token"], said["port"]
        if isinstance(token, str) and len(token) > 20 and type(port) is int:
            return Known(token, port)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return Known(secrets.token_urlsafe(24))


def keep(root: str, known: Known) -> None:
    """Keeps an address for the owner alone; where no folder can be written, it is not kept."""
    file = _file(root)
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = file.with_suffix(f".{os.getpid()}")
        temporary.unlink(missing_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(known._asdict(), stream)
        os.replace(temporary, file)
    except OSError:
        # The next start has another address.
        return


def _file(root: str) -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    name = hashlib.sha256(files.absolute(root).encode()).hexdigest()[:24]
    return Path(cache, "beampose", "label", f"{name}.json")
