"""Names from inside files as parts of paths: of tasks, scorers, individuals, bodyparts, classes,
videos. Whoever labeled chose them, and a stranger may have.

A name becomes one part of a path by `safe`, and by nothing else. It keeps letters and digits of any
script, spaces, and all marks but those no system takes in a name; a name that is safe stays as it
is. In others `_` stands for each character that may not be there, and six digits of a digest at
their end keep different names apart:

  reach, Ann Lee, Öhrchen, cam [1], 100%    as they are
  ../../etc/passwd                          _._.._etc_passwd-3754d6
  a/b                                       a_b-c14cdd
  NUL                                       _NUL-ae6de1
"""

import hashlib
import unicodedata
from typing import Annotated

from pydantic import AfterValidator

# Separators, streams of Windows, wildcards and redirections.
_FORBIDDEN = frozenset('/\\:*?"<>|')
# Control characters, marks that turn the direction of writing, halves of characters, unassigned.
_UNSEEN = ("Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp")
# Devices that Windows opens by these names, whatever the suffix.
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul"] + [f"{kind}{i}" for kind in ("com", "lpt") for i in range(10)]
)
# Bytes of a name that every file system takes, with room for what we add to it.
_LONGEST = 120


def safe(name: str) -> str:
    """A name as one part of a path, on any system; "" becomes "_"."""
    letters = [
        "_" if one in _FORBIDDEN or unicodedata.category(one) in _UNSEEN else one for one in name
    ]
    if letters and letters[0] in ".~ ":
        letters[0] = "_"
    if letters and letters[-1] in ". ":
        letters[-1] = "_"
    found = "".join(letters)
    if found.split(".")[0].strip().lower() in _DEVICES:
        found = f"_{found}"
    if found == name and len(name.encode()) <= _LONGEST:
        return found or "_"
    code = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    # Not in the middle of a character.
    short = found.encode()[: _LONGEST - 7].decode("utf-8", "ignore")
    return f"{short}-{code}"


def safe_file(name: str) -> str:
    """The name of a file as one part of a path; its suffix stays, by which programs know it."""
    stem, dot, suffix = name.rpartition(".")
    plain = suffix.isascii() and suffix.isalnum() and len(suffix) < 10
    return f"{safe(stem)}.{suffix}" if dot and stem and plain else safe(name)


# In the infos of others' models and datasets, names that become parts of paths.
Part = Annotated[str, AfterValidator(safe)]
