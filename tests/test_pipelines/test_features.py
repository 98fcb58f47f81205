"""The feature job: what it embeds, what it keeps, what it rejects."""

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from beampose.core import artefacts, folder_lock
from beampose.core.infos import DatasetInfo
from beampose.core.settings import experiment
from beampose.pipelines import beam_options, cli
from beampose.pipelines.features import (
    analyze,
    embedding_worker,
    feature_job,
    feature_steps,
    labeled_source,
)
from beampose.preprocess import images
from beampose.preprocess.transform import Ranges
from beampose.trainer.dataset import Dataset
from beampose.trainer.feature_store import Index


def store_of(settings):
    info = artefacts.require(settings.dataset, DatasetInfo)
    return Path(settings.store) / info.store


def rejects(settings):
    text = (Path(settings.dataset) / "rejects.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_a_second_run_embeds_nothing_and_a_new_frame_one(pose_file):
    settings = experiment.load(pose_file)
    assert feature_job.run(settings).embedded == 12
    assert feature_job.run(settings).embedded == 0
    place = pose_file.parent / "project/labeled-data/a"
    Image.fromarray(np.random.default_rng(9).integers(0, 255, (96, 144, 3)).astype(np.uint8)).save(
        place / "img90.png"
    )
    with (place / "CollectedData_me.csv").open("a") as csv:
        csv.write("labeled-data\\a\\img90.png,1,2,3,4,5,6\n")
    summary = feature_job.run(settings)
    assert (summary.images, summary.embedded) == (13, 1)


@pytest.mark.parametrize(
    "words",
    [
        ["features"],
        ["run"],
        ["train"],
        ["evaluate", "--folds=2"],
        ["evaluate", "--curve=2"],
        ["sweep", "--set=train.seed=1,2"],
    ],
)
def test_two_runs_that_make_one_experiment_do_not_mix(pose_file, capsys, words):
    verb, *rest = words
    settings = experiment.load(pose_file)
    with folder_lock.held(settings.output):
        assert cli.main([verb, str(pose_file), *rest]) == 2
    error = f"error: Another run is writing to {settings.output}. Wait until it has ended"
    assert capsys.readouterr().err.splitlines()[-1].startswith(error)
    assert not Path(settings.dataset).exists()


def test_the_line_of_tensorflow_transform_on_an_unused_cache_is_not_shown(caplog):
    absl = logging.getLogger("absl")
    # A command that ran in this process has set a level of its own.
    caplog.set_level(logging.WARNING, "absl")
    with analyze.unsaid("cache key varies"):
        absl.warning("Analyzer (%s) node's cache key varies on repeated tracing.", "pca")
        absl.warning("Something else")
    absl.warning("Its cache key varies outside")
    assert [one.getMessage() for one in caplog.records] == [
        "Something else",
        "Its cache key varies outside",
    ]


def test_a_runner_that_loses_labels_completes_nothing(pose_file, monkeypatch):
    settings = experiment.load(pose_file)
    # As a runner that says it is done and did nothing.
    monkeypatch.setattr(feature_job.beam_runner, "finish", lambda *_: {})
    with pytest.raises(RuntimeError, match="lost 12 of 12 labels"):
        feature_job.run(settings)
    assert not list(Path(settings.output).rglob("COMPLETED"))


@pytest.mark.parametrize(
    "words, here",
    [
        ([], True),
        (["--runner=DirectRunner", "--direct_running_mode=multi_processing"], True),
        (["--runner=PortableRunner", "--job_endpoint=embed"], True),
        (["--runner=PortableRunner", "--job_endpoint=cluster:8099"], False),
        (["--runner=PortableRunner", "--job_endpoint=localhost:8099"], False),
        (
            [
                "--runner=FlinkRunner",
                "--job_endpoint=localhost:8099",
                "--environment_type=LOOPBACK",
            ],
            True,
        ),
        (["--runner=DataflowRunner"], False),
    ],
)
def test_a_folder_of_this_machine_is_for_runners_on_it(words, here):
    options = beam_options.parse(words)
    if here:
        beam_options.check_reachable(options, "/data/out", "The output")
    else:
        with pytest.raises(ValueError, match="on other machines cannot see"):
            beam_options.check_reachable(options, "/data/out", "The output")
    beam_options.check_reachable(options, "gs://lab/out", "The output")


def test_a_runner_that_is_known_to_lose_labels_is_refused(pose_file):
    with pytest.raises(ValueError, match="DaskRunner"):
        feature_job.run(experiment.load(pose_file), ["--runner=DaskRunner"])


def test_edited_labels_another_split_and_a_moved_project_embed_nothing(pose_file):
    settings = experiment.load(pose_file)
    feature_job.run(settings)
    assert labeled_source.outdated(settings) == ""
    csv = pose_file.parent / "project/labeled-data/a/CollectedData_me.csv"
    lines = csv.read_text().splitlines()
    lines[3] = "labeled-data/a/img00.png,10,10,20,20,30,30"
    csv.write_text("\n".join(lines))
    shutil.move(pose_file.parent / "project", pose_file.parent / "moved")
    changed = experiment.load(pose_file, ["source.path=moved", "split.seed=5", "split.by=video"])
    assert "are others by now" in labeled_source.outdated(changed)
    assert "cannot be read now" in labeled_source.outdated(settings)
    assert feature_job.run(changed).embedded == 0
    assert labeled_source.outdated(changed) == ""
    records = Dataset(changed.dataset, changed.store, cache_mb=1).records
    edited = next(r for r in records if r.name == "labeled-data/a/img00.png")
    assert edited.keypoints.tolist() == [[[10, 10], [20, 20], [30, 30]]]


def test_bad_input_has_a_line_each_and_changes_nothing_else(pose_file, tmp_path):
    clean = experiment.load(pose_file)
    feature_job.run(clean)
    place = tmp_path / "project/labeled-data/a"
    data = (place / "img00.png").read_bytes()
    (place / "broken.png").write_bytes(data[: len(data) // 2])
    shutil.copy(place / "img01.png", place / "twin.png")
    Image.fromarray(np.full((96, 144, 3), 7, np.uint8)).save(place / "outside.png")
    Image.fromarray(np.full((96, 144, 3), 8, np.uint8)).save(place / "empty.png")
    with (place / "CollectedData_me.csv").open("a") as csv:
        csv.write("labeled-data/a/broken.png,1,2,3,4,5,6\n")
        csv.write("labeled-data/a/gone.png,1,2,3,4,5,6\n")
        csv.write("labeled-data/a/twin.png,1,2,3,4,5,6\n")
        csv.write("labeled-data/a/outside.png,1,2,300,4,5,6\n")
        csv.write("labeled-data/a/empty.png,,,,,,\n")
        csv.write("labeled-data/a/words.png,1,2,x,4,5,6\n")
    dirty = experiment.load(pose_file, ["output=dirty"])
    summary = feature_job.run(dirty)
    assert summary.images == 13
    found = {Path(r["image"]).name: r for r in rejects(dirty)}
    for name, row, what in (
        ("broken.png", 10, "cannot be decoded"),
        ("gone.png", 11, "image missing"),
        ("twin.png", 12, "same pixels as labeled-data/a/img01.png"),
        ("outside.png", 13, "left at (300, 4) lies outside the 144x96 image"),
        ("empty.png", 14, "no bodypart is labeled"),
        ("words.png", 15, "'x', which is not a number"),
    ):
        assert what in found[name]["what"]
        assert found[name]["row"] == row
        assert found[name]["file"].endswith("CollectedData_me.csv")
    by_name = {r.name: r for r in Dataset(dirty.dataset, dirty.store, cache_mb=1).records}
    before = Dataset(clean.dataset, clean.store, cache_mb=1).records
    for record in before:
        after = by_name.pop(record.name)
        np.testing.assert_array_equal(after.keypoints, record.keypoints)
        assert after.split == record.split
    (left,) = by_name.values()
    np.testing.assert_array_equal(left.keypoints, [[[1, 2], [np.nan, np.nan], [5, 6]]])


def test_too_many_rejects_end_the_run(pose_file, tmp_path):
    for image in (tmp_path / "project/labeled-data/a").glob("*.png"):
        image.unlink()
    settings = experiment.load(pose_file, ["source.max_rejects=0.2"])
    with pytest.raises(ValueError, match=r"6 of 12 labeled images cannot be used.*rejects\.jsonl"):
        feature_job.run(settings)
    with pytest.raises(FileNotFoundError, match="was not finished"):
        Dataset(settings.dataset, settings.store, cache_mb=1)


def test_copies_are_made_of_training_frames_only_and_move_their_keypoints(pose_file):
    settings = experiment.load(pose_file, ["features.copies=2"])
    summary = feature_job.run(settings)
    dataset = Dataset(settings.dataset, settings.store, cache_mb=1)
    training, held_out = dataset.of("train", copies=True), dataset.of("test", copies=True)
    assert len(training) == 3 * len(dataset.of("train"))
    assert len(held_out) == len(dataset.of("test"))
    assert summary.embedded == len(training) + len(held_out)
    original, first, second = training[:3]
    assert [r.copy for r in training[:3]] == [0, 1, 2]
    assert not np.allclose(original.keypoints, first.keypoints, equal_nan=True)
    assert not np.allclose(first.keypoints, second.keypoints, equal_nan=True)


def test_copies_may_show_windows_around_animals(pose_file):
    settings = experiment.load(pose_file, ["features.copies=2", "features.window=48"])
    summary = feature_job.run(settings)
    dataset = Dataset(settings.dataset, settings.store, cache_mb=1)
    copies = [r for r in dataset.of("train", copies=True) if r.copy]
    assert summary.embedded == len(dataset.records)
    for record in copies:
        assert (record.height, record.width, *record.window[2:]) == (48, 48, 48, 48)
        assert dataset.features(record).shape == (6, 6, 16)
    model = embedding_worker.build(
        embedding_worker.store_spec(settings, str(store_of(settings) / "transform"))
    )
    pending = feature_steps.pending(copies[0], images.digest(images.load(copies[0].image_uri)[0]))
    shown = embedding_worker.load(pending, embedding_worker.ranges(settings))
    fresh = model.frames(shown[None]).numpy().astype(np.float32)[0]
    stored = dataset.features(copies[0]).astype(np.float32)
    np.testing.assert_allclose(stored, fresh, atol=0.02, rtol=0.02)
    assert feature_job.run(settings).embedded == 0


def test_stored_features_are_the_models_answer_to_the_image(pose_file):
    settings = experiment.load(pose_file)
    feature_job.run(settings)
    model = embedding_worker.build(
        embedding_worker.store_spec(settings, str(store_of(settings) / "transform"))
    )
    dataset = Dataset(settings.dataset, settings.store, cache_mb=1)
    record = dataset.of("train")[1]
    pixels = np.asarray(Image.open(record.image_uri))
    fresh = model.frames(pixels[None]).numpy().astype(np.float32)[0]
    stored = dataset.features(record).astype(np.float32)
    assert stored.shape == (12, 18, 16)
    # bfloat16 has three digits.
    np.testing.assert_allclose(stored, fresh, atol=0.02, rtol=0.02)


def test_features_of_training_cells_are_centred_and_of_unit_size(pose_file):
    settings = experiment.load(pose_file, ["features.pca=0"])
    feature_job.run(settings)
    dataset = Dataset(settings.dataset, settings.store, cache_mb=10)
    cells = [
        dataset.features(r).astype(np.float32).reshape(-1, dataset.dims)
        for r in dataset.of("train")
    ]
    everything = np.concatenate(cells)
    live = everything.std(axis=0) > 0.1
    assert dataset.dims == 32 * 4 + 64 + 128
    assert np.abs(everything[:, live].mean(axis=0)).max() < 0.3
    assert np.median(everything[:, live].std(axis=0)) == pytest.approx(1, abs=0.15)


def test_the_order_of_arrival_does_not_change_a_shard():
    pending = [embedding_worker.Pending(f"{i:02d}", "", "", "", 0, "", 0, 8, 8) for i in range(5)]
    seen = []

    class Answer:
        def __init__(self, value):
            self.value = value

        def numpy(self):
            return self.value

    def model(frames):
        seen.append(len(frames))
        return Answer(frames.mean(axis=(1, 2, 3)))

    def two(height, width):
        return 2

    def fake_load(one, limits):
        return np.full((8, 8, 3), int(one.key), np.uint8)

    original, embedding_worker.load = embedding_worker.load, fake_load
    try:
        ranges, work = Ranges(0, 0, 0, 0, 0), embedding_worker.Steps(model)
        forward = list(embedding_worker.embed(work, pending, ranges, two, []))
        backward = list(embedding_worker.embed(work, pending[::-1], ranges, two, []))
    finally:
        embedding_worker.load = original
    assert forward == backward == [(f"{i:02d}", float(i)) for i in range(5)]
    assert set(seen) == {2}


def test_images_of_sizes_of_their_own_are_not_embedded_many_times(monkeypatch):
    shapes = [(8, 8)] * 5 + [(8, 9), (8, 10), (8, 10), (9, 9), (9, 9), (9, 9)]
    pending = [
        embedding_worker.Pending(str(i), "", "", "", 0, "", 0, *shape)
        for i, shape in enumerate(shapes)
    ]
    monkeypatch.setattr(
        embedding_worker, "load", lambda one, _: np.zeros((one.height, one.width, 3), np.uint8)
    )
    seen = []

    def model(frames):
        seen.append((*frames.shape[:3],))
        return frames.mean(axis=(1, 2, 3)).view(Answer)

    class Answer(np.ndarray):
        def numpy(self):
            return np.asarray(self)

    steps = embedding_worker.Steps(model)
    found = list(embedding_worker.embed(steps, pending, Ranges(0, 0, 0, 0, 0), lambda *_: 4, []))
    assert len(found) == len(pending)
    # A size of which a batch was full stays with that batch; others come as near as kernels allow.
    assert seen == [(4, 8, 8), (4, 8, 8), (1, 8, 9), (2, 8, 10), (4, 9, 9)]


def test_crops_become_one_vector_each_with_deepmeerkats_names(trained):
    dataset = Dataset(trained["crops"].dataset, trained["crops"].store, cache_mb=1)
    assert dataset.classes == ["positive", "negative"]
    assert dataset.info.split == {"test": 12, "train": 24}
    assert dataset.features(dataset.records[0]).shape == (192,)


def test_crops_of_many_sizes_share_batches_and_say_what_each_says_alone(trained, monkeypatch):
    settings = trained["crops"]
    spec = embedding_worker.store_spec(settings, str(store_of(settings) / "transform"))
    model = embedding_worker.build(spec)
    rng = np.random.default_rng(0)
    crops = [rng.integers(0, 256, (40 + 3 * i, 60 - i, 3), np.uint8) for i in range(6)]
    monkeypatch.setattr(embedding_worker, "load", lambda one, _: crops[int(one.key)])
    pending = [
        embedding_worker.Pending(str(i), "", "", "", 0, "", 0, *crop.shape[:2])
        for i, crop in enumerate(crops)
    ]
    work = embedding_worker.steps(model, spec)
    sizes: list[int] = []

    def counted(batch):
        sizes.append(len(batch))
        return work.batch(batch)

    found = dict(
        embedding_worker.embed(
            work._replace(batch=counted), pending, Ranges(0, 0, 0, 0, 0), lambda *_: 4, []
        )
    )
    assert sizes == [4, 4]
    for i, crop in enumerate(crops):
        alone = model.frames(crop[None]).numpy()[0].astype(np.float32)
        np.testing.assert_allclose(found[str(i)].astype(np.float32), alone, rtol=0.01, atol=0.01)


def test_a_killed_run_goes_on_and_ends_the_same(pose_file, monkeypatch):
    settings = experiment.load(pose_file)
    feature_job.run(settings)
    whole = sorted(p.name for p in (store_of(settings) / "shards").iterdir())
    digests = {p.name: p.read_bytes() for p in (store_of(settings) / "shards").iterdir()}
    again = experiment.load(pose_file, ["output=again"])

    from beampose.pipelines.features import feature_steps

    def die(*arguments, **named):
        raise OSError("killed")

    monkeypatch.setattr(feature_steps.store_writer, "write_shard", die)
    with pytest.raises(Exception, match="killed"):
        feature_job.run(again)
    monkeypatch.undo()
    feature_job.run(again)
    shards = store_of(again) / "shards"
    assert sorted(p.name for p in shards.iterdir()) == whole
    assert {p.name: p.read_bytes() for p in shards.iterdir()} == digests
    assert len(Index(str(store_of(again)))) == 12
