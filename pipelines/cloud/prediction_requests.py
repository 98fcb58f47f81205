"""Request files for Vertex AI's batch prediction, tried on the exported signature before upload.

Beam (`beampose predict --cloud`) is the first way: it has no limit of size and no base64. This one
is for models in the registry that other programs call too.
"""

import base64
import binascii
import json
import logging
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from beampose.core import artefacts, files, json_files, storage, task_kinds
from beampose.core.infos import ModelInfo
from beampose.core.wording import counted
from beampose.preprocess import media_folders
from beampose.trainer import export

KINDS = ("jsonl", "file-list", "tf-record")
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
# The exported model decodes no TIFF.
_IMAGES = media_folders.IMAGES._replace(
    suffixes=SUFFIXES, others=(*media_folders.IMAGES.others, ".tif", ".tiff")
)
LOG = logging.getLogger(__name__)
# A request of the service holds at most this, and by default 64 lines make one.
REQUEST_BYTES = 1_500_000
TRIED_AT_ONCE = 8


class Written(NamedTuple):
    """A request file: how many instances, and how many of them fit one request."""

    path: str
    instances: int
    batch_size: int


def images(paths: Sequence[str]) -> list[str]:
    """Images that paths, folders and globs mean, in order, each once.

    Raises:
      FileNotFoundError: one of them means none.
    """
    found: list[str] = []
    for path in paths:
        if files.is_folder(path):
            inside, left = media_folders.read(path, _IMAGES)
            if left:
                LOG.warning("NOTE %s: %s taken, not %s", path, counted(len(inside), "image"), left)
        elif files.exists(path):
            inside = [path]
        else:
            inside = files.matching(path)
        if not inside:
            raise FileNotFoundError(f"{path} holds no image ({', '.join(SUFFIXES)}).")
        found += inside
    return list(dict.fromkeys(found))


def write(paths: Sequence[str], target: str, kind: str) -> Written:
    """Writes one request file of images.

    Args:
      target: where to; the file is there whole or not at all.
      kind: `jsonl`, lines of {"key", "image_bytes": {"b64"}}; `file-list`, lines of addresses that
        the service reads itself; `tf-record`, records that are encoded images.

    Raises:
      ValueError: an image is too large for a request, or a path of a file list is no gs:// address.
    """
    largest = 0
    with storage.replacing(target) as temporary:
        if kind == "tf-record":
            largest = _write_records(paths, str(temporary))
        else:
            with temporary.open("w", encoding="utf-8", newline="\n") as stream:
                for path in paths:
                    line = _address(path) if kind == "file-list" else _line(path)
                    largest = max(largest, len(line) if kind == "jsonl" else files.size(path))
                    stream.write(line + "\n")
    if largest > REQUEST_BYTES:
        raise ValueError(
            f"{target}: an image takes {largest} bytes in a request, above the service's "
            f"{REQUEST_BYTES}. Make the images smaller, or predict with Beam."
        )
    return Written(target, len(paths), max(1, min(64, REQUEST_BYTES // max(largest, 1))))


def check(model: str, file: str, kind: str) -> list[tuple[str, str]]:
    """Pushes every instance of a request file through the exported signature.

    Returns:
      Failures: the line or record, from 1, and why.

    Raises:
      FileNotFoundError: there is no finished model.
    """
    info = artefacts.require(model, ModelInfo)
    loaded = export.load(model)
    points = task_kinds.of_info(info).points
    keyed = not points and kind == "jsonl"
    name = "image_bytes" if not points and not keyed else "serving_default"
    signature = loaded.signatures[name]
    failures, waiting = [], []
    for number, instance in enumerate(_instances(file, kind), 1):
        if isinstance(instance, str):
            failures.append((f"{file}:{number}", instance))
            continue
        waiting.append((f"{file}:{number}", instance))
        if len(waiting) == TRIED_AT_ONCE:
            failures += _tried(signature, waiting, keyed)
            waiting = []
    return sorted(failures + _tried(signature, waiting, keyed), key=lambda one: one[0])


class Job(NamedTuple):
    """A batch prediction.

    Attributes:
      model: resource name in the registry.
      keyed: whether the model takes the key of a line; else the service keeps it and gives it back.
      source: address of the request file.
      kind: of the file, see `write`.
      target: folder for the answers.
      machine: its type.
      batch_size: instances of a request.
    """

    model: str
    keyed: bool
    source: str
    kind: str
    target: str
    machine: str
    batch_size: int

    def request(self, name: str) -> dict[str, Any]:
        """The job of this name, as `aiplatform_v1.BatchPredictionJob` takes it.

        Raises:
          ValueError: the model takes keys and the file has none.
        """
        found: dict[str, Any] = {
            "display_name": name,
            "model": self.model,
            "input_config": {
                "instances_format": self.kind,
                "gcs_source": {"uris": [self.source]},
            },
            "output_config": {
                "predictions_format": "jsonl",
                "gcs_destination": {"output_uri_prefix": self.target},
            },
            "dedicated_resources": {
                "machine_spec": {"machine_type": self.machine},
                "starting_replica_count": 1,
                "max_replica_count": 4,
            },
            "manual_batch_tuning_parameters": {"batch_size": self.batch_size},
        }
        if self.keyed and self.kind != "jsonl":
            raise ValueError(
                f"A crop model in the registry takes a key beside each image, which --kind "
                f"{self.kind} does not have: use --kind jsonl."
            )
        if not self.keyed and self.kind == "jsonl":
            found["instance_config"] = {"instance_type": "object", "key_field": "key"}
        return found


def _line(path: str) -> str:
    data = base64.b64encode(files.read_bytes(path)).decode()
    return json.dumps({"key": path, "image_bytes": {"b64": data}})


def _address(path: str) -> str:
    if not path.startswith("gs://"):
        raise ValueError(f"A file list holds gs:// addresses, which the service reads: {path!r}.")
    return path


def _write_records(paths: Sequence[str], target: str) -> int:
    import tensorflow as tf

    largest = 0
    with tf.io.TFRecordWriter(target) as writer:
        for path in paths:
            data = files.read_bytes(path)
            writer.write(data)
            largest = max(largest, 4 * len(data) // 3)
    return largest


def _instances(file: str, kind: str) -> Iterator[tuple[str, bytes] | str]:
    """(key, encoded image) of each instance, or why it is none."""
    if kind == "tf-record":
        import tensorflow as tf

        with storage.local(file) as copy:
            for i, data in enumerate(tf.data.TFRecordDataset(str(copy)).as_numpy_iterator()):
                yield str(i), bytes(data)  # pyright: ignore[reportArgumentType]
        return
    for line in files.read_bytes(file).decode("utf-8").splitlines():
        yield _listed(line) if kind == "file-list" else _parsed(line)


def _listed(line: str) -> tuple[str, bytes] | str:
    try:
        return line, files.read_bytes(_address(line))
    except (OSError, ValueError) as error:
        return f"cannot be read: {files.why(error)}"


def _parsed(line: str) -> tuple[str, bytes] | str:
    try:
        value = json_files.record(line, "it")
        if set(value) != {"key", "image_bytes"} or set(value["image_bytes"]) != {"b64"}:
            return 'must be {"key": …, "image_bytes": {"b64": …}}'
        return str(value["key"]), base64.b64decode(value["image_bytes"]["b64"], validate=True)
    except (ValueError, TypeError, binascii.Error) as error:
        return f"is not such JSON: {error}"


def _tried(signature, waiting: list[tuple[str, tuple[str, bytes]]], keyed: bool) -> list:
    """Failures of some instances; where a batch fails, each is tried alone."""
    import tensorflow as tf

    if not waiting:
        return []
    inputs = {"image_bytes": tf.constant([data for _, (_, data) in waiting])}
    if keyed:
        inputs["key"] = tf.constant([key for _, (key, _) in waiting])
    try:
        outputs = signature(**inputs)
    except tf.errors.OpError as error:
        if len(waiting) > 1:
            return [failure for one in waiting for failure in _tried(signature, [one], keyed)]
        why = (error.message or str(error)).strip().splitlines()[0][:200]
        return [(waiting[0][0], f"is not an image the model can read: {why}")]
    counts = {name: len(value) for name, value in outputs.items()}
    if set(counts.values()) != {len(waiting)}:
        return [(place, f"gives {counts} answers") for place, _ in waiting]
    numbers = [v.numpy() for v in outputs.values() if v.dtype.is_floating]
    if not all(np.isfinite(v).all() for v in numbers):
        return [(place, "gives an answer that is not a number") for place, _ in waiting]
    return []
