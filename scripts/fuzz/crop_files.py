"""Readers of crops and of boxes: lists, detections, and what a person corrected of them."""

from pathlib import Path

from reader import Reader, as_json

from beampose.formats import box_files, crop_classes, crop_lists, deepmeerkat, megadetector
from beampose.pipelines.curation import crop_corrections, repeats_page

LIST = b"a.png,positive\nb.png,negative\n"
BOXES = {
    "images": [{"file": "film.mp4/frame1.jpg", "detections": [
        {"category": "1", "conf": 0.9, "bbox": [0.1, 0.1, 0.2, 0.2], "frame_number": 1}
    ]}],
    "detection_categories": {"1": "animal"},
    "info": {"format_version": "1.3"},
}  # fmt: skip
SPECIES = {"predictions": [{
    "filepath": "film.mp4/frame1.jpg", "failures": ["CLASSIFIER"],
    "detections": [{"category": "1", "label": "animal", "conf": 0.9,
                    "bbox": [0.1, 0.1, 0.2, 0.2]}],
}]}  # fmt: skip


def _boxes(path: Path) -> None:
    megadetector.contents.cache_clear()
    deepmeerkat.read.cache_clear()
    boxes = box_files.FileBoxes(str(path))
    boxes.unsure(["film.mp4", "other.mp4"])
    boxes.read("film.mp4").of(1, 40, 60)


def _reclassed(path: Path) -> None:
    crop_classes.edited(str(path), [crop_classes.Reclass("a.png", "positive", "negative")])


def readers(folder: Path) -> dict[str, Reader]:
    """Readers by name; see `readers.readers`."""
    lists = [
        LIST,
        b",split,image_path,label\n0,train,a.png,cat\n1,val,b.png,dog\n",
        b"TRAIN,gs://lab/a.png,cat\nTEST,gs://lab/b.png,dog\n",
    ]
    corrected = b"apply,image,label,new_label\nyes,positive/a.png,positive,negative\n"
    meerkats = b"frame,clock,x,y,h,w,label,score\n1,0:00:00,1,2,3,4,positive,0.9\n"
    dismissed = b"video,frame,box\na.mp4,1,0\n"
    return {
        "crops list": Reader("a.csv", lists, lambda p: crop_lists.read(str(p))),
        "edited list": Reader("a.csv", [LIST], _reclassed),
        "reclassed": Reader("a.csv", [corrected], lambda p: crop_corrections.read(str(p))),
        "megadetector": Reader("a.json", [as_json(BOXES), as_json(SPECIES)], _boxes),
        "deepmeerkat": Reader("annotations.csv", [meerkats], _boxes),
        "dismissed": Reader("a.csv", [dismissed], lambda p: repeats_page.read_dismissed(p)),
    }
