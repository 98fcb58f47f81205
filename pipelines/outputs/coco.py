"""Labels as COCO keypoints: annotations.json, and the images beside it."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from pipelines.outputs import keeping, pictures
from pipelines.outputs.pictures import Copied, Picture
from preprocess.labels import Labels
from trainer import artefacts

FILE = "annotations.json"
IMAGES = "images"


def write(
    labels: Labels,
    splits: Sequence[str],
    folder: artefacts.Address,
    *,
    overwrite: bool = False,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Copied:
    """Writes `<folder>/annotations.json` and `<folder>/images/<video>/<image>`.

    Beside COCO's own keys an image says its `split`, an annotation its `individual` (and the number
    of it, `track_id`), the category all `individuals`
    and which bodyparts are of the scene.

    Raises:
      ValueError: something else is there already, and `overwrite` is not set; or no image can be
        read.
    """
    root = artefacts.place(folder)
    frames: Any = labels.items
    copied = pictures.copy(frames, root / IMAGES, overwrite=overwrite, progress=progress)
    pictures.refuse_none(copied, len(labels.items))
    split_of = {item.name: split for item, split in zip(labels.items, splits, strict=True)}
    data = json.dumps(_document(labels, copied.pictures, split_of)).encode()
    file = keeping.File(root / FILE, data)
    if not overwrite:
        keeping.refuse(keeping.conflicts([file]))
    return copied._replace(written=copied.written + keeping.write(file))


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
