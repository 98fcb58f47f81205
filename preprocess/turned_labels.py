"""Labels of images that their EXIF orientation turns: to which pixels they belong.

Browsers, and the labeling programs in them, show such an image upright; others as it is stored.
Where labels say the height and width of the image, and these are the upright one's, so are they.
"""

import dataclasses

from beampose.preprocess import exif
from beampose.preprocess.labels import LabeledFrame


def as_stored(frame: LabeledFrame, orientation: int, height: int, width: int) -> LabeledFrame:
    """The frame with its points on the pixels as stored: itself, unless they must be moved.

    Args:
      orientation: of EXIF, from 1 to 8.
      height, width: of the image as stored. A square one does not show what its labels fit.
    """
    sideways = orientation in exif.SIDEWAYS and height != width
    if not sideways or frame.told != (width, height):
        return frame
    points = exif.stored_points(frame.keypoints, orientation, height, width)
    return dataclasses.replace(frame, keypoints=points, told=(height, width))
