"""Room on the disks for an upload: looked for before the work, which may take hours."""

import errno
import shutil
import tempfile
from pathlib import Path

from upath import UPath

from beampose.core import disk, storage
from beampose.core.settings.experiment import Config

# Bytes that the smallest model takes, as it is made and as it is published, with its evaluation.
LEAST = 10_000_000
# Whoever made an upload reads it: no path of this machine.
_OF_WORK = "The disk for temporary files (TMPDIR names another folder)"
_OF_MODELS = "The disk of the models"


class TooLittle(ValueError):
    """Work needs more room than there is; `needed` is in bytes, on the disk for temporary files."""

    def __init__(self, text: str, needed: int):
        super().__init__(text)
        self.needed = needed


def look(models: UPath, packed: int, needed: int = 0) -> None:
    """Looks where a zip is unpacked, and where its model will be.

    Args:
      models: folder of the result.
      packed: bytes of the zip.
      needed: bytes that the work was found to need before.

    Raises:
      OSError: there is too little room.
    """
    disk.check_room(Path(tempfile.gettempdir()), max(packed + LEAST, needed), _OF_WORK)
    if storage.is_local(models):
        disk.check_room(Path(str(models)), LEAST, _OF_MODELS)


def look_for_features(config: Config) -> None:
    """Looks where the features of an upload are stored, as `beampose plan` estimates them.

    Raises:
      OSError: the labels cannot be read.
      TooLittle: there is too little room.
      ValueError: no image can be read.
    """
    from beampose.pipelines import planning
    from beampose.pipelines.features import feature_recipe, labeled_source

    labels, splits = labeled_source.read(config)
    chosen = feature_recipe.choose(config, labels, splits).config
    needed = planning.store_bytes(chosen, labels, splits) + LEAST
    try:
        disk.check_room(Path(tempfile.gettempdir()), needed, _OF_WORK)
    except OSError as error:
        raise TooLittle(f"{error}, and upload it again.", needed) from None


def needed_after(error: BaseException, work: Path) -> int:
    """Bytes that work needs which has filled its disk: more than it had; 0 of any other error."""
    if isinstance(error, TooLittle):
        return error.needed
    if disk.of_disk(error) not in (errno.ENOSPC, errno.EDQUOT):
        return 0
    written = sum(path.stat().st_size for path in work.rglob("*") if path.is_file())
    return shutil.disk_usage(work).free + written + LEAST
