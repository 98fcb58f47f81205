"""A page to sort crops by eye: alike beside alike, marked by click or key, saved as a csv."""

import base64
import json
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from upath import UPath

from beampose.core import storage
from beampose.pipelines.report import pages

# Crops in one file: 15 MB with their small pictures.
A_FILE = 5000
PAGE = "sort.html"
SAVED = "sorted.csv"


def write(
    folder: storage.Address,
    names: Sequence[str],
    features: np.ndarray,
    thumbs: Sequence[bytes],
) -> list[UPath]:
    """Writes `sort.html` (`sort-2.html` … for more than `A_FILE`), each complete in itself.

    Args:
      names: files of crops, relative to the folder.
      features: float32 (crops, dims) of length 1; alike crops have a large product.
      thumbs: JPEG bytes of each.
    """
    order = chain(features)
    written = []
    count = max(-(-len(order) // A_FILE), 1)
    for part in range(count):
        chosen = order[part * A_FILE : (part + 1) * A_FILE]
        data = {
            "names": [names[i] for i in chosen],
            "features": _packed(features[chosen]),
            "dims": int(features.shape[1]),
            "thumbs": [base64.b64encode(thumbs[i]).decode() for i in chosen],
        }
        stem, _, ending = PAGE.partition(".")
        name = PAGE if part == 0 else f"{stem}-{part + 1}.{ending}"
        saved = SAVED if part == 0 else SAVED.replace(".", f"-{part + 1}.")
        page = pages.render(
            "sorting.html",
            title=storage.place(folder).name,
            saved=saved,
            part=part + 1,
            parts=count,
            data=inert(data),
        )
        file = storage.place(folder, name)
        storage.write_text(file, page)
        written.append(file)
    return written


def inert(data: dict) -> Markup:
    """JSON that cannot end the script element it stands in: names of files come from strangers."""
    text = json.dumps(data).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Markup(text)  # noqa: S704


def chain(features: np.ndarray) -> list[int]:
    """An order in which neighbours look alike: each is followed by its nearest that is left.

    Beyond `A_FILE` crops they are first put in order along their direction of most difference, and
    chained in groups.
    """
    if not len(features):
        return []
    centred = features - features.mean(axis=0)
    direction = np.linalg.svd(centred.T @ centred)[0][:, 0]
    rough = np.argsort(centred @ direction, kind="stable")
    found: list[int] = []
    for start in range(0, len(rough), A_FILE):
        group = rough[start : start + A_FILE]
        vectors, left = features[group], np.ones(len(group), bool)
        at = 0
        for _ in group:
            left[at] = False
            found.append(int(group[at]))
            alike = np.where(left, vectors @ vectors[at], -np.inf)
            at = int(np.argmax(alike))
    return found


def _packed(features: np.ndarray) -> str:
    """Unit vectors as signed bytes in base64."""
    whole = np.clip(np.round(features * 127), -127, 127).astype(np.int8)
    return base64.b64encode(whole.tobytes()).decode()
