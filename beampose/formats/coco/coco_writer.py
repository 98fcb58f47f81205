"""Labels as COCO keypoints: annotations.json, and the images beside it."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from beampose.core import storage
from beampose.formats import kept_files, labeled_images
from beampose.formats.labeled_images import Copied, Picture
from beampose.preprocess.labels import Labels

FILE = "annotations.json"
IMAGES = "images"


def write(
    labels: Labels,
    splits: Sequence[str],
    folder: storage.Address,
    *,
    overwrite: bool = False,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Copied:
    """Writes `<folder>/annotations.json` and `<folder>/images/<video>/<image>`.

    Beside COCO's own keys an image says its `split`, an annotation its `individual` (and the number
    of it, `track_id`), the category all `individuals`
    and which bodyparts belong to the scene.

    Raises:
      ValueError: something else is there already, and `overwrite` is not set; or no image can be
        read.
    """
    root = storage.place(folder)
    frames: Any = labels.items
    copied = labeled_images.copy(frames, root / IMAGES, overwrite=overwrite, progress=progress)
    labeled_images.refuse_none(copied, len(labels.items))
    split_of = {item.name: split for item, split in zip(labels.items, splits, strict=True)}
    data = json.dumps(_document(labels, copied.pictures, split_of)).encode()
    file = kept_files.File(root / FILE, data)
    if not overwrite:
        kept_files.refuse(kept_files.conflicts([file]))
    return copied._replace(written=copied.written + kept_files.write(file))


def _document(labels: Labels, found: Sequence[Picture], splits: dict[str, str]) -> dict[str, Any]:
    images, annotations = [], []
    for number, one in enumerate(found, 1):
        images.append(
            {
                "id": number,
                "file_name": f"{IMAGES}/{one.video}/{one.name}",
                "height": one.height,
                "width": one.width,
                "split": splits[one.frame.name],
            }
        )
        for i, keypoints in enumerate(one.frame.keypoints):
            if not np.isnan(keypoints).all():
                told = _annotation(keypoints, labels.individuals[i], i)
                code = {"id": len(annotations) + 1, "image_id": number, "category_id": 1}
                annotations.append({**code, **told})
    places = {name: i for i, name in enumerate(labels.bodyparts, 1)}
    category = {
        "id": 1,
        "name": "animal",
        "supercategory": "animal",
        "keypoints": list(labels.bodyparts),
        "skeleton": [[places[a], places[b]] for a, b in labels.edges],
        "individuals": list(labels.individuals),
        "unique_bodyparts": list(labels.unique_bodyparts),
    }
    info = {"description": labels.project, "contributor": labels.scorer}
    return {
        "info": info,
        "images": images,
        "annotations": annotations,
        "categories": [category],
    }


def _annotation(keypoints: np.ndarray, individual: str, place: int) -> dict[str, Any]:
    labeled = np.asarray(~np.isnan(keypoints).any(axis=-1))
    low, high = keypoints[labeled].min(axis=0), keypoints[labeled].max(axis=0)
    values: list[float] = []
    for (x, y), seen in zip(keypoints.tolist(), labeled, strict=True):
        values += [x, y, 2] if seen else [0, 0, 0]
    return {
        "keypoints": values,
        "num_keypoints": int(labeled.sum()),
        "bbox": [*low.tolist(), *(high - low).tolist()],
        "area": float(np.prod(high - low)),
        "iscrowd": 0,
        "individual": individual,
        "track_id": place + 1,
    }
