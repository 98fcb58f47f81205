"""Labels and their splits as JSON, in which they travel to the workers of a job; their digest."""

import base64
import hashlib
import json
from typing import Any

import numpy as np

from beampose.preprocess.labels import LabeledCrop, LabeledFrame, Labels

_OF_BOTH = ("image", "name", "video", "file", "row")


def plain(labeled: tuple[LabeledFrame | LabeledCrop, str]) -> list[Any]:
    """A labeled image and its split as JSON has it; keypoints keep every bit."""
    item, split = labeled
    found: list[Any] = [split, *(getattr(item, name) for name in _OF_BOTH)]
    if isinstance(item, LabeledCrop):
        return [*found, item.label, item.split]
    points = np.ascontiguousarray(item.keypoints, "<f8")
    return [
        *found,
        list(points.shape),
        base64.b64encode(points.tobytes()).decode(),
        item.negative,
        item.told,
    ]


def item(values: list[Any]) -> tuple[LabeledFrame | LabeledCrop, str]:
    """What `plain` made."""
    split, known = values[0], dict(zip(_OF_BOTH, values[1:6], strict=True))
    if isinstance(values[6], int):
        return LabeledCrop(**known, label=values[6], split=values[7]), split
    data = np.frombuffer(base64.b64decode(values[7]), "<f8").reshape(values[6])
    told = tuple(values[9]) if values[9] else None
    return (
        LabeledFrame(**known, keypoints=data.astype(np.float64), negative=values[8], told=told),
        split,
    )


def digest(labels: Labels) -> str:
    """Of labels as their files say them: equal where nobody changed a point or a name."""
    code = hashlib.sha256(json.dumps([labels.bodyparts, labels.individuals]).encode())
    for item in sorted(labels.items, key=lambda one: one.name):
        code.update(f"\n{item.name}\n".encode("utf-8", "surrogateescape"))
        if isinstance(item, LabeledCrop):
            code.update(str(item.label).encode())
        else:
            code.update(np.ascontiguousarray(item.keypoints, "<f8").tobytes())
    return code.hexdigest()
