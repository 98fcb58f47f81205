"""Readers of files that beampose writes, and that come back from other hands or a damaged disk."""

import io
import json
import pickle
import struct
from pathlib import Path
from typing import Any

import fakes  # pyright: ignore[reportMissingImports]
import numpy as np
from reader import Reader, as_json

from beampose.core import storage
from beampose.core.infos import Info, parse
from beampose.formats import detection_table
from beampose.formats.deeplabcut import prediction_writer, track_writer
from beampose.pipelines import film_names
from beampose.pipelines.cloud import prediction_requests, upload_status
from beampose.pipelines.curation import crop_vectors
from beampose.pipelines.features import shard_repair, store_writer
from beampose.pipelines.predict import commit
from beampose.pipelines.report import evaluation_reader
from beampose.preprocess import cut
from beampose.trainer import dataset, feature_store, schema, torch_file

KEY = "k" * 64


def _infos(path: Path) -> None:
    """As every kind; the last error is let through."""
    error = None
    values = storage.read_json(path)
    for kind in Info.__subclasses__():
        try:
            parse({**values, "kind": kind.NAME} if isinstance(values, dict) else values, "it", kind)
        except ValueError as wrong:
            error = wrong
    if error:
        raise error


def _shards(folder: Path) -> tuple[bytes, bytes]:
    """A shard and the list of what is in it."""
    records = [(KEY, np.ones((4, 5, 8), np.float32)), ("l" * 64, np.zeros((4, 5, 8), np.float32))]
    store_writer.write_shard(str(folder), 0, 1, records, "n" * 16)
    (shard,) = (folder / "shards").glob("*.tfrecord")
    return shard.read_bytes(), shard.with_suffix(".json").read_bytes()


def _reads(shard: bytes | None, listed: bytes | None):
    def read(path: Path) -> None:
        place = path.parent / "shards"
        place.mkdir(exist_ok=True)
        data = path.read_bytes()
        (place / "a.tfrecord").write_bytes(shard or data)
        (place / "a.json").write_bytes(listed or data)
        index = feature_store.Index(str(path.parent))
        keys = list(index.keys())
        for key in keys:
            index.read(key)
        check = shard_repair.check(schema.parse_features, dims=8, pooled=False)
        shard_repair.examine(storage.place(place / "a.json"), check)

    return read


def _label(folder: Path) -> bytes:
    record = schema.LabelRecord(
        KEY, "a.png", "u", "v", "f", 3, "train", 40, 60, 0, fakes.points()[:1], -1
    )
    named = [("a", schema.label_example(record)), ("b", schema.label_example(record))]
    store_writer.write_records(storage.place(folder / "labels.tfrecord"), named)
    return (folder / "labels.tfrecord").read_bytes()


def _labels(path: Path) -> None:
    place = path.parent / "dataset"
    place.mkdir(exist_ok=True)
    (place / f"{dataset.LABELS}-0.tfrecord").write_bytes(path.read_bytes())
    list(dataset.read_labels(str(place)))


def _npz(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def _vectors(path: Path) -> Any:
    storage.place(path).rename(path.parent / crop_vectors.CACHE)
    return crop_vectors._known(str(path.parent))


def _torch() -> bytes:
    """A file of PyTorch's old format, with one tensor."""

    def text(word: str) -> bytes:
        return b"X" + struct.pack("<i", len(word)) + word.encode()

    named = b"ccollections\nOrderedDict\n)R"
    kept = [text("storage"), b"ctorch\nFloatStorage\n", text("0"), text("cpu"), b"K\x06N"]
    view = b"K\x00K\x02K\x03\x86K\x03K\x01\x86\x89"
    called = b"ctorch._utils\n_rebuild_tensor_v2\n(("
    tensors = [b"\x80\x02", named, text("w"), called, *kept, b"tQ", view, named, b"tRs."]
    machine = {"protocol_version": 1001, "little_endian": True}
    heads = [pickle.dumps(one, 2) for one in (torch_file.MAGIC, torch_file.VERSION, machine)]
    numbers = struct.pack("<q", 6) + np.arange(6, dtype="<f4").tobytes()
    return b"".join([*heads, *tensors, pickle.dumps(["0"], 2), numbers])


def _tracks(folder: Path) -> bytes:
    names = track_writer.Names("s", ["nose", "tail"], ["door"])
    frame = track_writer.table(np.ones((3, 2, 2, 3)), ["a", "b"], names, np.ones((3, 1, 3)))
    track_writer.write(frame, str(folder / "t"))
    return (folder / "t_el.csv").read_bytes()


def _detections(folder: Path) -> bytes:
    found = detection_table.Detections(
        ("positive", "negative"),
        np.arange(3),
        np.zeros(3, np.int32),
        np.ones((3, 4), np.int32),
        np.ones(3, np.float32),
        np.full((3, 2), 0.5, np.float32),
        np.empty((3, 0), np.float32),
        np.ones((3, 4), np.float32),
        np.zeros(3, bool),
    )
    detection_table.write(folder / "d.parquet", found, {"video": "a.mp4"})
    return (folder / "d.parquet").read_bytes()


def _rows(path: Path) -> None:
    path.rename(path.with_name("tDLC.csv"))
    prediction_writer.read(path.with_name("tDLC.h5"))


def _tracked(path: Path) -> None:
    track_writer.read(path.with_suffix(".h5"))


def _requests(path: Path) -> None:
    for line in path.read_bytes().decode("utf-8", "replace").split("\n"):
        prediction_requests._parsed(line)


_POINTS = (
    b"split,image,bodypart,x,y,predicted_x,predicted_y,likelihood,error_px\n"
    b"test,a.png,nose,1.5,2,1,2,0.9,0.5\ntest,a.png,tail,,,1,2,0.9,\n"
)
_CROPS = b"split,image,label,score_positive,score_negative\ntest,a.jpg,positive,0.9,0.1\n"
_STATUS = {
    "state": "received",
    "upload": "a",
    "generation": "1",
    "attempt": 1,
    "started": "2026-11-26T01:02:03+00:00",
    "updated": "2026-11-26T01:02:03+00:00",
}


def _status(path: Path) -> None:
    upload_status.read(storage.place(path.parent))
    claims = path.parent / upload_status.CLAIMS
    claims.mkdir(exist_ok=True)
    (claims / "0001.json").write_bytes(path.read_bytes())
    upload_status.claim(storage.place(path.parent), 1e12)
    (claims / "0002.json").unlink(missing_ok=True)


def readers(folder: Path) -> dict[str, Reader]:
    """Readers by name; see `readers.readers`."""
    shard, listed = _shards(folder)
    predicted = {"kind": "prediction", "format": 1, "scorer": "s", "frames": 3, "video": "a.mp4"}
    model = {"kind": "model", "format": 1, "task": "pose", "bodyparts": ["a"], "config": {}}
    stored = {"kind": "dataset", "format": 1, "task": "pose", "store": "s", "counts": {}}
    film = {"kind": "film", "format": 1, "video": "a.mp4", "fingerprint": "f", "bytes": 3}
    kept = _npz(xy=np.ones((3, 2)), failures=np.array(json.dumps([[1, "broken"]])))
    vectors = _npz(
        names=np.array(["a", "b"]),
        features=np.ones((2, 4), np.float32),
        thumbs=np.zeros(6, np.uint8),
        lengths=np.array([3, 3]),
    )
    columns = b"scorer,s,s,s\nbodyparts,a,a,a\ncoords,x,y,likelihood\n0,1,2,0.5\n1,,,\n"
    return {
        "infos": Reader("info.json", [as_json(one) for one in (model, stored, predicted)], _infos),
        "film info": Reader(
            film_names.FILM, [as_json(film)], lambda p: film_names.recorded(str(p.parent))
        ),
        "shard": Reader("x", [shard], _reads(None, listed)),
        "shard list": Reader("x", [listed], _reads(shard, None)),
        "labels": Reader("x", [_label(folder)], _labels),
        "range": Reader("a.npz", [kept], lambda p: commit.load_range(storage.place(p))),
        "vectors": Reader("x.npz", [vectors], _vectors),
        "torch": Reader("a.pth", [_torch()], torch_file.read),
        "tracks": Reader("a.csv", [_tracks(folder)], _tracked),
        "own predictions": Reader("a.csv", [columns], _rows),
        "detections": Reader(
            "a.parquet", [_detections(folder)], lambda p: detection_table.read(str(p))
        ),
        "evaluated points": Reader(
            "a.csv", [_POINTS], lambda p: evaluation_reader.points(storage.place(p), "test")
        ),
        "evaluated crops": Reader(
            "a.csv",
            [_CROPS],
            lambda p: evaluation_reader.crops(storage.place(p), "test", ["positive", "negative"]),
        ),
        "crop rule": Reader(
            cut.RULE_FILE,
            [as_json({"pad": 0.1, "square": True})],
            lambda p: cut.rule_of(str(p.parent)),
        ),
        "status": Reader(upload_status.FILE, [as_json({**_STATUS, "claimed": "x"})], _status),
        "requests": Reader(
            "a.jsonl", [as_json({"key": "a", "image_bytes": {"b64": "AAAA"}})], _requests
        ),
    }
