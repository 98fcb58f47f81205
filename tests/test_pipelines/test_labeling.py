"""extract-frames: from videos to a project with frames to label, from the command line."""

import fakes
import numpy as np
import pytest
import yaml
from PIL import Image

from beampose.formats.deeplabcut import project_labels
from beampose.pipelines import cli
from beampose.pipelines.curation import frame_extraction, frame_files, frame_vectors
from beampose.preprocess import images, videos

NEW = ["--bodyparts", "nose,tail", "--scorer", "me"]


@pytest.fixture
def film(tmp_path):
    return fakes.video(tmp_path / "film.mp4", "libx264", 40)


def extract_frames(film, tmp_path, *words):
    return cli.main(["extract-frames", str(film), "--to", str(tmp_path / "project"), *words])


def numbers(tmp_path, video="film"):
    files = sorted((tmp_path / "project/labeled-data" / video).glob("img*.png"))
    return [int(file.stem[3:]) for file in files]


@pytest.mark.parametrize("method", ["uniform", "kmeans"])
def test_frames_land_in_a_project_under_their_numbers(film, tmp_path, method, capsys):
    words = ["--method", method, "--count", "6"]
    assert extract_frames(film, tmp_path, *words, *NEW) == 0
    found = numbers(tmp_path)
    assert len(found) == 6
    for number in found:
        file = tmp_path / f"project/labeled-data/film/img{number:02d}.png"
        assert fakes.number(images.decode(file.read_bytes())) == number
    config = yaml.safe_load((tmp_path / "project/config.yaml").read_text())
    assert config["video_sets"] == {film: {"crop": "0, 80, 0, 48"}}
    labels = project_labels.read(str(tmp_path / "project"))
    assert labels.bodyparts == ("nose", "tail")
    assert "film.mp4: 6 frames" in capsys.readouterr().out


def test_the_same_command_again_adds_nothing_and_a_larger_count_adds_the_rest(film, tmp_path):
    assert extract_frames(film, tmp_path, "--count", "4", *NEW) == 0
    first = numbers(tmp_path)
    assert extract_frames(film, tmp_path, "--count", "4") == 0
    assert numbers(tmp_path) == first
    assert extract_frames(film, tmp_path, "--count", "7") == 0
    assert len(numbers(tmp_path)) == 7
    assert set(first) <= set(numbers(tmp_path))


@pytest.mark.parametrize("method", ["uniform", "kmeans"])
def test_a_film_whose_frames_are_all_there_adds_none(tmp_path, method):
    short = fakes.video(tmp_path / "short.mp4", "libx264", 5)
    words = ["--method", method]
    assert extract_frames(short, tmp_path, *words, *NEW) == 0
    assert extract_frames(short, tmp_path, *words) == 0
    assert numbers(tmp_path, "short") == [0, 1, 2, 3, 4]


def test_a_seed_decides(film, tmp_path):
    found = []
    for place, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert extract_frames(film, tmp_path / place, "--seed", seed, "--count", "6", *NEW) == 0
        found.append(numbers(tmp_path / place))
    assert found[0] == found[1] != found[2]


def test_part_step_and_crop(film, tmp_path):
    words = ["--start", "0.5", "--stop", "0.9", "--every", "4", "--crop", "8,72,4,44"]
    assert extract_frames(film, tmp_path, "--count", "20", *words, *NEW) == 0
    assert numbers(tmp_path) == [20, 24, 28, 32]
    with Image.open(tmp_path / "project/labeled-data/film/img20.png") as picture:
        assert picture.size == (64, 40)
    config = yaml.safe_load((tmp_path / "project/config.yaml").read_text())
    assert config["video_sets"][film]["crop"] == "8, 72, 4, 44"


def test_seconds_too(film, tmp_path):
    assert extract_frames(film, tmp_path, "--start", "1.2", "--method", "uniform", *NEW) == 0
    assert numbers(tmp_path) == list(range(30, 40))


def test_other_crops_do_not_mix(film, tmp_path, capsys):
    assert extract_frames(film, tmp_path, "--count", "2", "--crop", "8,72,4,44", *NEW) == 0
    assert extract_frames(film, tmp_path, "--count", "4") == 1
    assert "give the same --crop" in capsys.readouterr().out
    assert extract_frames(film, tmp_path, "--count", "4", "--crop", "8,80,4,44") == 1
    assert len(numbers(tmp_path)) == 2


def test_a_broken_video_is_a_failure_and_the_others_go_on(film, tmp_path, capsys):
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    (tmp_path / "other").mkdir()
    twin = fakes.video(tmp_path / "other/film.mp4", "libx264", 5)
    words = [str(tmp_path / "bad.mp4"), film, twin, str(tmp_path / "gone.mp4")]
    words += ["--to", str(tmp_path / "project"), "--count", "3", *NEW]
    assert cli.main(["extract-frames", *words]) == 1
    out = capsys.readouterr().out
    assert out.count("FAILED") == 2
    folders = sorted(one.name for one in (tmp_path / "project/labeled-data").iterdir())
    assert folders[0] == "film" and folders[1].startswith("film-") and len(folders) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "is not a project yet"),
        ([*NEW, "--count", "0"], "--count must be 1 or more"),
        ([*NEW, "--start", "0.6", "--stop", "0.5"], "below the stop"),
        ([*NEW, "--method", "features", "--backbone", "resnet5"], "must be one of"),
    ],
)
def test_mistakes_get_a_sentence(film, tmp_path, capsys, words, message):
    assert extract_frames(film, tmp_path, *words) == 2
    assert message in capsys.readouterr().err


def test_by_features_leaves_out_what_the_project_shows_already(film, tmp_path):
    words = ["--method", "features", "--scale", "1", "--count", "3"]
    assert extract_frames(film, tmp_path, *words, *NEW) == 0
    assert len(numbers(tmp_path)) == 3
    twin = tmp_path / "twin.mp4"
    twin.write_bytes((tmp_path / "film.mp4").read_bytes())
    # The twin shows the same frames: three more are others than the first three.
    assert extract_frames(twin, tmp_path, *words, "--cluster", "core-set") == 0
    assert len(numbers(tmp_path, "twin")) == 3
    assert not set(numbers(tmp_path, "twin")) & set(numbers(tmp_path))


def test_vectors_do_not_depend_on_the_batch_and_sizes_may_mix(tmp_path):
    network = frame_vectors.Embedding("mobilenet_v2_0.35", "random:0", 1.0)
    frames = [fakes.pixels(i, 64, 96) for i in range(10)] + [fakes.pixels(99, 48, 64)]
    found = network.all(iter(frames))
    assert found.shape[0] == 11
    for i in (0, 8, 10):
        np.testing.assert_allclose(network([frames[i]])[0], found[i], rtol=1e-4, atol=1e-4)


def test_long_videos_are_looked_at_in_steps(film, tmp_path, monkeypatch):
    monkeypatch.setitem(frame_extraction.MOST, "kmeans", 10)
    assert extract_frames(film, tmp_path, "--count", "20", *NEW) == 0
    assert numbers(tmp_path) == list(range(0, 40, 4))


def test_however_long_a_video_few_frames_are_held_at_a_time(film, monkeypatch):
    held, most, used = 0, 0, []
    some = videos.read_some

    def counted(video, numbers):
        nonlocal held, most
        for frame in some(video, numbers):
            held += 1
            most = max(most, held)
            yield frame

    def embed(frames):
        nonlocal held
        for frame in frames:
            used.append(frame.shape)
            held -= 1
        return np.zeros((len(used), 2))

    monkeypatch.setattr(videos, "read_some", counted)
    monkeypatch.setattr(frame_files, "_AHEAD", 3)
    told = []
    video = videos.index(film)
    source = frame_files.Source(
        video, (0, 80, 0, 48), lambda items, total, what: told.append(total) or items
    )
    numbers, _ = source.vectors(list(range(0, 40, 2)), embed)
    assert numbers == list(range(0, 40, 2))
    # Those that wait, the one that is used, and the one that was read meanwhile.
    assert most <= 5
    assert told == [20]
