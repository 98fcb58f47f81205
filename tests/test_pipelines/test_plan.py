"""The plan: what will be embedded and stored, before it is."""

from pathlib import Path

import fakes
import pytest

from beampose.core.settings import experiment
from beampose.pipelines import cli, planning
from beampose.pipelines.features import feature_job
from beampose.trainer.feature_store import Index


@pytest.mark.parametrize("kind", [pytest.param("pose", marks=pytest.mark.slow), "crops"])
def test_the_plan_counts_what_the_job_will_embed_and_store(trained, kind, tmp_path):
    copies = 2 if kind == "pose" else 0
    loaded = trained[kind]
    fresh = experiment.changed(
        loaded,
        output=str(tmp_path / "out"),
        features={"copies": copies},
    )
    found = planning.plan(fresh, planning.PRICES_FILE)
    assert found.new_store
    assert found.features_seconds > planning.START["store"]
    assert found.train_seconds > planning.START["train"]
    summary = feature_job.run(fresh)
    assert found.images + found.copies == summary.embedded
    (folder,) = Path(fresh.store).iterdir()
    index = Index(str(folder))
    # Images differ in size and only some are probed.
    assert found.bytes == pytest.approx(index.bytes_of(index.keys()), rel=0.15)
    assert not planning.plan(fresh, None).new_store
    assert found.cloud is not None
    assert found.cloud["cost"] > 0
    assert "Dataflow  1 worker" in planning.describe(found)


def test_the_verb_prints_and_keeps_the_plan_from_any_folder(
    new_pose_file, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["plan", str(new_pose_file)]) == 0
    out = capsys.readouterr().out
    assert "Dataflow  1 worker" in out
    assert "12 labeled" in out
    assert "on this machine" in out
    assert (new_pose_file.parent / "out/plan.json").is_file()
    assert not (new_pose_file.parent / "out/store").exists()


def test_a_price_table_that_lacks_something_is_named(pose_file, tmp_path, capsys):
    file = tmp_path / "prices.yaml"
    file.write_text("vcpu_hour: 0.05\n")
    assert cli.main(["plan", str(pose_file), "--prices", str(file)]) == 2
    assert "must hold a number of 0 or more for gb_hour" in capsys.readouterr().err


def test_frames_of_films_are_estimated_by_some_headers_and_all_sizes(tmp_path, monkeypatch):
    paths = []
    for i in range(30):
        paths.append(str(tmp_path / f"film{i}.mp4"))
        fakes.video(Path(paths[-1]), "mpeg4", 20)
    read = []
    opened = planning.videos.declared
    monkeypatch.setattr(planning.videos, "declared", lambda path: read.append(path) or opened(path))
    assert planning.estimated_frames(paths) == pytest.approx(600, rel=0.05)
    assert len(read) == planning.PROBED_FILMS
    (tmp_path / "damaged.mp4").write_bytes(b"x" * 1000)
    assert planning.estimated_frames([str(tmp_path / "damaged.mp4")]) == 0
    assert planning.estimated_frames([]) == 0
