"""Films in a project under names of their own: links in its `videos/`, as DeepLabCut makes them.

DeepLabCut finds labeled frames by the stems of the paths in `video_sets`, and opens these paths to
extract frames. Where the name of a film is another one's, a link has the name of its folder.
"""

import logging
import os
from pathlib import Path

from beampose.core import files, storage

LOG = logging.getLogger(__name__)
VIDEOS = "videos"


def entry(root: storage.Address, path: str, name: str) -> str:
    """The path in `video_sets` of a film whose frames are in the folder of a name.

    Args:
      root: the project's folder.
      path: of the film, absolute or an address.
    """
    if files.stem(path) == name:
        return path
    if storage.is_local(str(root)) and not files.is_address(path):
        return files.join(files.absolute(str(root)), VIDEOS, name + files.suffix(path))
    # Nothing can be linked there: the name tells DeepLabCut which folder it is.
    return files.join(files.parent(path), name + files.suffix(path))


def make(root: storage.Address, path: str, name: str) -> None:
    """Makes the link that `entry` names, where it names one; one that leads nowhere is renewed."""
    link = entry(root, path, name)
    if link == path or files.is_address(link) or os.path.exists(link):
        return
    if files.parent(link) != files.join(files.absolute(str(root)), VIDEOS):
        return
    try:
        Path(link).parent.mkdir(parents=True, exist_ok=True)
        Path(link).unlink(missing_ok=True)
        Path(link).symlink_to(path)
    except OSError as error:
        LOG.warning(
            "NOTE %s: no link to it can be made (%s), and config.yaml names %s: copy the film "
            "there if DeepLabCut shall extract frames of it",
            path,
            error.strerror or error,
            link,
        )
