"""Room on the disks for an upload: looked for before the work, which may take hours."""

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


def look(models: UPath, packed: int) -> None:
    """Looks where a zip is unpacked, and where its model will be.

    Args:
      models: folder of the result.
      packed: bytes of the zip.

    Raises:
      OSError: there is too little room.
    """
    disk.check_room(Path(tempfile.gettempdir()), packed + LEAST, _OF_WORK)
    if storage.is_local(models):
        disk.check_room(Path(str(models)), LEAST, _OF_MODELS)


def look_for_features(config: Config) -> None:
    """Looks where the features of an upload are stored, as `beampose plan` estimates them.

    Raises:
      OSError: the labels cannot be read.
      ValueError: there is too little room, or no image can be read.
    """
    from beampose.pipelines import planning
    from beampose.pipelines.features import feature_recipe, labeled_source

    labels, splits = labeled_source.read(config)
    chosen = feature_recipe.choose(config, labels, splits).config
    needed = planning.store_bytes(chosen, labels, splits) + LEAST
    try:
        disk.check_room(Path(tempfile.gettempdir()), needed, _OF_WORK)
    except OSError as error:
        again = "and upload it again; on a disk, remove its folder from models/ too"
        raise ValueError(f"{error}, {again}.") from None
