"""Labels on frames of videos, here and in a bucket."""

import fake_labels
import fakes
import pytest
from exchanged_labels import experiment_file

from beampose import formats
from beampose.pipelines import cli
from beampose.preprocess import images


def test_check_and_features_read_frames_of_a_video(tmp_path, capsys):
    fakes.video(tmp_path / "film.mp4", "libx264", 40)
    frames = [(0, i, [(0, -1, fakes.points()[0])]) for i in (3, 1, 20)]
    film = {"backend": {"filename": "film.mp4"}}
    fake_labels.slp(tmp_path / "a.slp", [*frames, (0, 77, frames[0][2])], videos=[film])
    config = experiment_file(tmp_path, "{format: sleap, path: a.slp}")
    assert cli.main(["check", config]) == 1
    out = capsys.readouterr().out
    assert "frame 77 of film.mp4: it has 40 frames" in out
    assert "4 labeled images" in out
    assert "1 error," in out


@pytest.mark.slow
def test_an_experiment_runs_on_frames_of_a_video(tmp_path):
    from beampose.core.settings import experiment
    from beampose.pipelines.features import feature_job
    from beampose.trainer.dataset import Dataset

    fakes.video(tmp_path / "film.mp4", "libx264", 40)
    frames = [(0, i, [(0, -1, fakes.points()[0])]) for i in range(0, 40, 5)]
    film = {"backend": {"filename": "film.mp4"}}
    fake_labels.slp(tmp_path / "a.slp", frames, videos=[film])
    file = experiment_file(tmp_path, "{format: sleap, path: a.slp}")
    with open(file, "a") as out:
        out.write(
            "features: {backbone: resnet_compact, weights: 'random:0', pca: 8, copies: 1, "
            "frames: true}\n"
        )
    config = experiment.load(file)
    summary = feature_job.run(config)
    assert (summary.images, summary.rejected) == (8, 0)
    dataset = Dataset(config.dataset, config.store, cache_mb=0)
    assert {r.name for r in dataset.of("train") + dataset.of("test")} == {
        f"labeled-data/film/img{i:04d}.png" for i in range(0, 40, 5)
    }


def test_frames_of_videos_go_to_a_bucket_as_images(buckets, tmp_path):
    from beampose.pipelines import inputs

    fakes.video(tmp_path / "film.mp4", "libx264", 40)
    frames = [(0, i, [(0, -1, fakes.points()[0])]) for i in (3, 77)]
    film = {"backend": {"filename": "film.mp4"}}
    path = fake_labels.slp(tmp_path / "a.slp", frames, videos=[film])
    items = formats.read("sleap", str(path)).items
    there, lost = inputs.put_images(items, "gs://lab/images")
    assert there.image.startswith("gs://lab/images/")
    assert there.image.endswith(".png")
    assert fakes.number(images.load(there.image)[0]) == 3
    # It stays what it was: the job makes it a reject.
    assert lost.image == items[1].image


def test_labels_and_videos_in_a_bucket_are_read(buckets, tmp_path):
    from upath import UPath

    fakes.video(tmp_path / "film.mp4", "libx264", 40)
    film = {"backend": {"filename": "film.mp4"}}
    path = fake_labels.slp(
        tmp_path / "a.slp", [(0, 30, [(0, -1, fakes.points()[0])])], videos=[film]
    )
    for file in (path, tmp_path / "film.mp4"):
        UPath(f"gs://lab/labels/{file.name}").write_bytes(file.read_bytes())
    to = tmp_path / "p"
    assert cli.main(["import-labels", "gs://lab/labels/a.slp", "--to", str(to)]) == 0
    image = images.load(str(to / "labeled-data/film/img0030.png"))[0]
    assert fakes.number(image) == 30
