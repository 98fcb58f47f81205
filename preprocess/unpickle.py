"""Reads pickles from strangers: numbers, strings, containers and NumPy arrays, nothing that runs."""

import io
import pickle  # noqa: S403
from typing import Any

_ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("_codecs", "encode"),
}


class _Plain(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise ValueError(f"the pickle asks for {module}.{name}, which is not plain data")
        return super().find_class(module, name)


def loads(data: bytes) -> Any:
    """Loads plain data.

    Raises:
      ValueError: the pickle is broken or asks for anything but plain data.
    """
    try:
        return _Plain(io.BytesIO(data)).load()
    except (pickle.UnpicklingError, EOFError, AttributeError, IndexError, KeyError) as error:
        raise ValueError(f"not a readable pickle: {error}") from None
