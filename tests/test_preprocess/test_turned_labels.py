"""Labels of photographs that EXIF turns lie where the animal is, whichever picture they are of."""

import json

import numpy as np
import pytest
from PIL import Image

from beampose import formats
from beampose.formats import labeled_images
from beampose.preprocess import exif, validate


@pytest.mark.parametrize("orientation", range(1, 9))
def test_points_of_the_upright_image_are_found_in_the_stored_one(orientation):
    stored = np.zeros((4, 7, 3), np.uint8)
    stored[1, 5] = 255
    upright = exif.upright(stored, orientation)
    y, x = np.argwhere(upright[..., 0])[0]
    point = exif.stored_points(np.array([x + 0.5, y + 0.5]), orientation, 4, 7)
    np.testing.assert_array_equal(point, [5.5, 1.5])


def labeled(tmp_path, orientation, told):
    """A COCO file of one image, 40 wide and 30 high as stored, with a point at (4, 6)."""
    turned = Image.Exif()
    turned[0x0112] = orientation
    pixels = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=turned)
    document = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": told[0], "height": told[1]}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "keypoints": [4, 6, 2]}],
        "categories": [{"id": 1, "name": "mouse", "keypoints": ["nose"]}],
    }
    (tmp_path / "labels.json").write_text(json.dumps(document))
    return formats.read("coco", str(tmp_path / "labels.json"), task="pose")


@pytest.mark.parametrize(
    ("orientation", "told", "place", "said"),
    [
        (6, (30, 40), (6, 26), "points were moved onto the pixels as stored"),
        (8, (30, 40), (34, 4), "points were moved onto the pixels as stored"),
        (6, (40, 30), (4, 6), "is not applied"),
        (3, (40, 30), (4, 6), "is not applied"),
    ],
)
def test_labels_of_the_upright_image_are_moved_and_others_are_not(
    tmp_path, orientation, told, place, said
):
    labels = labeled(tmp_path, orientation, told)
    (item,) = labels.items
    inspection, _ = validate.inspect(item, labels.bodyparts)
    np.testing.assert_allclose(inspection.item.keypoints[0, 0], place)  # pyright: ignore
    (problem,) = inspection.problems
    assert said in problem.what
    copied = labeled_images.copy([item], tmp_path / "copy", overwrite=False)  # pyright: ignore
    np.testing.assert_allclose(copied.pictures[0].frame.keypoints[0, 0], place)
