"""JSON of labels that is not COCO: whose it seems to be."""

from typing import Any

from beampose.core.wording import counted

_LABEL_STUDIO = (
    "Label Studio's own. Its export as COCO does not put the keypoints of an animal together: "
    "convert this one, as mmpose's labelstudio2coco.py does"
)
# Keys by which files of programs that people label with are known.
_PROGRAMS = (
    ({"shapes", "imagePath"}, "labelme's, one file an image: convert all of them to one of COCO"),
    ({"_via_img_metadata"}, "VGG Image Annotator's own"),
    ({"skeletons", "nodes", "labels"}, "SLEAP's: save as .slp there"),
    ({"videos", "instances", "points"}, "SLEAP's of before 2020: save as .slp there"),
    (
        {"filename", "class", "annotations"},
        "AlphaTracker's: sleap-io makes a .slp of it (load_alphatracker, save_slp)",
    ),
    ({"data", "annotations"}, _LABEL_STUDIO),
    (
        {"image_id", "keypoints", "score"},
        "results of a model in COCO's layout, which are no labels",
    ),
)
_SHOWN = 5


def what(told: Any) -> str:
    """The kind of a JSON's value, and whose it seems to be."""
    first = told[0] if isinstance(told, list) and told else told
    keys = set(first) if isinstance(first, dict) else set()
    whose = next((f", {name}" for wanted, name in _PROGRAMS if wanted <= keys), "")
    if isinstance(told, list):
        return f"a list of {counted(len(told), 'value')}{whose}"
    if not isinstance(told, dict):
        return f"{told!r}"[:40]
    shown = ", ".join(f"{key!r}"[:40] for key in list(told)[:_SHOWN])
    return f"the keys {shown}{whose}" if told else "nothing"
