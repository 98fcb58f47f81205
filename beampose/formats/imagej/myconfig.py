"""DeepLabCut v1's configuration, a Python file of assignments: read as literals, never executed."""

import ast
from typing import Any

from beampose.core import files, texts

NAME = "myconfig.py"
_MAX_BYTES = 1 << 20
_KINDS: dict[str, tuple[type, ...]] = {
    "Task": (str,),
    "scorer": (str,),
    "Scorers": (list, tuple),
    "date": (str,),
    "bodyparts": (list, tuple),
    "invisibleboundary": (int, float),
    "multibodypartsfile": (bool,),
    "multibodypartsfilename": (str,),
}


def read(path: str) -> dict[str, Any]:
    """The settings labels depend on, of those whose value is a literal.

    Raises:
      ValueError: not Python, or a setting of another type than it has.
    """
    if files.size(path) > _MAX_BYTES:
        raise ValueError(f"{path} has more than {_MAX_BYTES:,} bytes: not a configuration.")
    try:
        # Of Python 2, whose editors wrote what Windows did.
        text = texts.decode(files.read_bytes(path), texts.WINDOWS)
    except ValueError as error:
        raise ValueError(f"{path} {error}.") from None
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"{path} is not Python: {error}") from None
    found: dict[str, Any] = {}
    for node in tree.body:
        if not isinstance(node, ast.Assign):
            continue
        names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        for name in set(names) & _KINDS.keys():
            found[name] = _literal(node.value, name, path)
    return found


def find(path: str) -> str | None:
    """The myconfig.py a folder belongs to: in it, or in one of the two above it.

    Version 1 keeps it two folders above data-<Task>.
    """
    folder = path
    for _ in range(3):
        file = files.join(folder, NAME)
        if files.exists(file):
            return file
        if not files.name(folder).startswith(("data-", "Generating_a_Training_Set")):
            return None
        folder = files.parent(folder)
    return None


def _literal(node: ast.expr, name: str, path: str) -> Any:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise ValueError(
            f"{path}: {name} must be a plain value, such as a list of words: the file is read and "
            "not executed."
        ) from None
    if not isinstance(value, _KINDS[name]):
        raise ValueError(f"{path}: {name} must be {_KINDS[name][0].__name__}. Received: {value!r}.")
    if isinstance(value, (list, tuple)):
        return [str(one) for one in value]
    return value
