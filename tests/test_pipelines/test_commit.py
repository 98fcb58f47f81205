"""When a video counts as predicted: its files are there, and they are those that were written."""

import numpy as np
import pytest

from beampose.core import artefacts, fingerprints, storage
from beampose.core.infos import PredictionInfo
from beampose.pipelines.film_names import Film
from beampose.pipelines.manifest import Range
from beampose.pipelines.predict import commit, frame_times
from beampose.pipelines.predict.predictor import Result
from beampose.preprocess.videos import Video


class Poses:
    """A predictor as `commit` sees it."""

    endings = (".h5", ".csv")

    def depends(self, path: str):
        return None


@pytest.fixture
def output(tmp_path):
    return commit.Output(str(tmp_path / "predictions"), "DLC_x", "model", {"every": 1}, Poses())  # pyright: ignore[reportArgumentType]


@pytest.fixture
def film(tmp_path):
    file = tmp_path / "film.mp4"
    file.write_bytes(b"a film")
    return str(file)


def named(film: str) -> Film:
    return Film("film", film, fingerprints.of_file(film))


def write(output, film: str, *, sums: bool = True):
    """The files and the summary of a predicted film; returns the stem."""
    summary = commit.summary_file(output, "film")
    stem = commit.stem_of(summary)
    for ending in Poses.endings:
        storage.write_text(stem.with_name(stem.name + ending), f"content of {ending}")
    info = PredictionInfo(
        made_by="test",
        video=film,
        video_bytes=6,
        name="film",
        frames_by_header=None,
        frames_by_packets=1,
        frames_chosen=1,
        frames_decoded=1,
        frames_differ="",
        rows=1,
        failures=[],
        fps=None,
        height=1,
        width=1,
        model_digest="model",
        settings={"every": 1},
        settings_digest=output.settings_digest(film),
        finished="",
        sums=commit.sums(stem, Poses.endings) if sums else {},
    )
    artefacts.write_info(summary, info)
    return stem


def test_a_predicted_film_is_finished(output, film):
    assert not commit.finished(output, named(film))
    write(output, film)
    assert commit.finished(output, named(film))


@pytest.mark.parametrize("ending", Poses.endings)
@pytest.mark.parametrize("content", [None, "", "content of .h4", "cont"])
def test_damaged_or_missing_files_do_not_count_as_finished(output, film, caplog, ending, content):
    stem = write(output, film)
    file = stem.with_name(stem.name + ending)
    if content is None:
        file.unlink()
    else:
        file.write_text(content)
    assert not commit.finished(output, named(film))
    assert str(file) in caplog.text and "it is predicted again" in caplog.text


@pytest.mark.parametrize(("content", "finished"), [("anything", True), ("", False)])
def test_files_of_an_older_version_count_as_long_as_they_hold_something(
    output, film, content, finished
):
    stem = write(output, film, sums=False)
    stem.with_name(stem.name + ".csv").write_text(content)
    assert bool(commit.finished(output, named(film))) == finished


def test_a_damaged_summary_is_named_with_what_to_do(output, film):
    stem = write(output, film)
    summary = stem.with_name(f"{stem.name}.json")
    summary.write_text("{")
    with pytest.raises(ValueError, match=r"is not JSON.*--overwrite"):
        commit.finished(output, named(film))
    assert not commit.finished(output._replace(overwrite=True), named(film))


def test_what_only_the_former_prediction_had_goes_with_it(output, film):
    class Writing(Poses):
        def write(self, stem, video, frames, results):
            for ending in self.endings:
                storage.write_text(stem.with_name(stem.name + ending), ending)
            return {}

    output = output._replace(predictor=Writing())
    for rate, ending in (([0, 1, 9], True), ([0, 1, 2], False)):
        video = Video(film, 4, 4, 25.0, 3, tuple(rate), 0.04, fingerprint=f"code {rate}")
        part = Range(video, "film", range(3))
        result = Result({"keypoints": np.zeros((3, 1, 3))}, [])
        commit.save_range(commit.range_file(output, part), frame_times.with_times(part, result))
        summary = commit.assemble(output, "film", video, [part])
        stem = commit.stem_of(commit.summary_file(output, "film"))
        assert summary.rate_varies == ending
        assert stem.with_name(f"{stem.name}_times.csv").is_file() == ending
        storage.write_text(stem.with_name(f"{stem.name}_spread.csv"), "of several heads")
        storage.write_text(stem.with_name(f"{stem.name}_full.pickle"), "of several animals")
    commit.save_range(commit.range_file(output, part), result)
    commit.assemble(output, "film", video, [part])
    left = {file.name for file in stem.parent.glob("film*")}
    assert left == {f"film{output.label}{ending}" for ending in (*Poses.endings, ".json")}
