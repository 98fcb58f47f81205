"""Storages that give no answer, or refuse, while a step reads what it works on."""

import pickle

import apache_beam as beam
import fakes
import h5py
import numpy as np
import pytest
from cloud.server import PAGE, error

from beampose.core import files, h5, storage
from beampose.core.answering import Refused, Unanswered
from beampose.pipelines import beam_options, beam_runner, outcome
from beampose.pipelines.features import embedding_worker, feature_recipe, shard_repair
from beampose.pipelines.features.embedding_worker import Pending
from beampose.preprocess import images, validate, videos
from beampose.preprocess.labels import LabeledFrame
from beampose.preprocess.transform import Ranges


@pytest.mark.parametrize("half", [True, False])
def test_a_film_whose_bytes_go_wrong_is_an_error_and_no_endless_wait(
    buckets, monkeypatch, tmp_path, half, impatient
):
    fakes.video(tmp_path / "clip.mp4", "libx264", 10)
    buckets.put("gs://lab/clip.mp4", (tmp_path / "clip.mp4").read_bytes())
    whole = buckets._media

    def wrong(*words):
        answer = whole(*words)
        return answer._replace(body=answer.body[: len(answer.body) // 2]) if half else PAGE

    monkeypatch.setattr(buckets, "_media", wrong)
    said = "bytes where .* were asked for" if half else "web page: does this network need a login"
    with pytest.raises(Unanswered, match=f"gs://lab/clip.mp4: .*{said}"):
        videos.index("gs://lab/clip.mp4")
    with pytest.raises(Unanswered, match="gs://lab/clip.mp4"):
        list(files.read_pieces("gs://lab/clip.mp4", [(0, 100)]))


def test_a_film_that_is_none_is_asked_for_without_reading_ahead(buckets):
    buckets.put("gs://lab/none.mp4", b"")
    buckets.put("gs://lab/page.mp4", b"<html>")
    with pytest.raises(ValueError, match="is empty, as a copy that did not end"):
        videos.index("gs://lab/none.mp4")
    with pytest.raises(ValueError, match="cannot be read as a video"):
        videos.index("gs://lab/page.mp4")
    with files.open_file("gs://lab/page.mp4") as file:
        assert file.cache.name == "readahead"


def test_a_film_that_is_given_in_part_is_not_decoded_in_part(buckets, tmp_path, impatient):
    fakes.video(tmp_path / "clip.mp4", "libx264", 10)
    buckets.put("gs://lab/clip.mp4", (tmp_path / "clip.mp4").read_bytes())
    video = videos.index("gs://lab/clip.mp4")
    buckets.refusal = error(503, "X", "busy")
    with pytest.raises(Unanswered, match="gs://lab/clip.mp4: .*busy, 503"):
        list(videos.read(video, 0, 10))


def test_an_h5_file_that_is_given_in_part_is_not_called_damaged(buckets, tmp_path, impatient):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("a", data=np.ones((8, 1 << 20), np.uint8), chunks=(1, 1 << 20))
    buckets.put("gs://lab/a.h5", (tmp_path / "a.h5").read_bytes())
    with (
        pytest.raises(Unanswered, match="gs://lab/a.h5: .*busy, 503"),
        h5.opened("gs://lab/a.h5") as root,
    ):
        buckets.refusal = error(503, "X", "busy")
        root.values("a")


@pytest.mark.parametrize(
    "refusal", [error(503, "X", "busy"), error(401, "X", "no"), error(403, "X", "no get"), PAGE]
)
def test_an_image_that_a_storage_does_not_give_is_no_broken_one(
    buckets, monkeypatch, refusal, impatient
):
    buckets.put("gs://lab/a.png", images.encode_png(np.zeros((4, 6, 3), np.uint8)))
    monkeypatch.setattr(buckets, "_media", lambda *_: refusal)
    item = LabeledFrame(
        image="gs://lab/a.png",
        name="a.png",
        video="v",
        file="l.csv",
        row=1,
        keypoints=np.zeros((1, 1, 2)),
    )
    pending = Pending("k", item.image, "a.png", "l.csv", 1, "digest", 0, 4, 6)
    for ask in (
        lambda: validate.inspect(item, ["nose"]),
        lambda: embedding_worker._try_load(pending, Ranges(0, 0, 0, 0, 0), np.asarray),
        lambda: feature_recipe._sizes([item]),
        lambda: list(storage.read_all("gs://lab", ["a.png"])),
    ):
        with pytest.raises(Unanswered, match="gs://lab/a.png"):
            ask()


def test_a_shard_whose_index_cannot_be_asked_for_is_not_taken_for_damaged(buckets, impatient):
    buckets.put("gs://lab/shards/a.json", b"{}")
    buckets.refusal = error(503, "X", "busy")
    with pytest.raises(Unanswered, match="gs://lab/shards/a.json: .*busy, 503: try it again"):
        shard_repair.examine(storage.place("gs://lab/shards/a.json"), str)


def test_a_job_ends_with_the_sentence_of_a_storage_that_gave_no_answer():
    found = pickle.loads(pickle.dumps(Refused("Forbidden: gs://lab/a: no")))
    assert isinstance(found, PermissionError) and str(found) == "Forbidden: gs://lab/a: no"
    pipeline = beam.Pipeline(options=beam_options.parse([]))
    _ = pipeline | beam.Create([1]) | beam.Map(_unanswered)
    with pytest.raises(Unanswered) as raised:
        beam_runner.finish(pipeline, "features")
    assert str(raised.value) == "gs://lab/a: no answer"


def _unanswered(_):
    try:
        raise KeyError("what a library said")
    except KeyError as error:
        raise Unanswered("gs://lab/a: no answer") from error


def test_a_failed_film_is_named_once():
    failed = outcome.failed([("gs://lab/a", "gs://lab/a: busy"), ("b", "is not there")])
    assert list(failed) == ["FAILED gs://lab/a: busy", "FAILED b: is not there"]
