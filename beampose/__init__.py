"""Animal pose and wildlife crops: label a few frames, embed them once, train a head in a minute."""

from pathlib import Path

from beampose.core import __version__

__all__ = ["__version__"]

# In a checkout `preprocess`, `trainer` and `pipelines` lie beside this folder, not in it.
if (Path(__file__).parent.parent / "setup.py").is_file():
    __path__.append(str(Path(__file__).parent.parent))
