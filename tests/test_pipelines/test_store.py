"""The stores: what they hold, damage found, and what nobody refers to dropped."""

import json
import os
import shutil

import pytest

from beampose.core.settings import experiment
from beampose.pipelines import cli
from beampose.pipelines.features import feature_job, inventory
from beampose.trainer.dataset import Dataset
from beampose.trainer.feature_store import Index


@pytest.fixture
def sharing(trained, tmp_path):
    """A copy of the small sharing, with its store in a folder that others may share."""
    loaded = trained["pose"]
    shutil.copytree(loaded.store, tmp_path / "stores")
    return experiment.changed(loaded, output=str(tmp_path / "one"), store_=str(tmp_path / "stores"))


def stores_of(loaded):
    return inventory.listed(loaded.store, loaded.dataset)


def problems(loaded):
    return list(inventory.verify(loaded.store, loaded.dataset, lambda items, *_: items))


def test_experiments_that_share_a_store_embed_nothing_twice(sharing):
    assert feature_job.run(sharing).embedded == 0
    second = experiment.changed(
        sharing,
        output=sharing.output + "-two",
        split={"seed": 5},
    )
    assert feature_job.run(second).embedded == 0
    (holding,) = stores_of(sharing)
    # The fixture's own dataset is noted in the copied store too.
    assert {sharing.dataset, second.dataset} <= set(holding.datasets)
    assert not holding.unused
    assert problems(sharing) == []


def test_half_written_files_of_a_killed_writer_are_not_read(sharing):
    feature_job.run(sharing)
    (holding,) = stores_of(sharing)
    index = next((holding.folder / "shards").glob("*.json"))
    index.with_name(f".{index.stem}-abc.json").write_text("")
    (holding.folder / "datasets" / ".note-abc.json").write_text("{")
    assert feature_job.run(sharing).embedded == 0
    assert problems(sharing) == []


def test_damage_is_found_and_named(sharing):
    feature_job.run(sharing)
    (holding,) = stores_of(sharing)
    shard = next((holding.folder / "shards").glob("*.tfrecord"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(bytes(data))
    (found,) = problems(sharing)
    assert f"{shard} is damaged" in found and "Run `beampose features` again" in found
    repaired = feature_job.run(sharing)
    assert (repaired.embedded, len(repaired.repaired)) == (1, 1)
    assert problems(sharing) == []
    (holding,) = stores_of(sharing)
    shard = max(
        (holding.folder / "shards").glob("*.tfrecord"), key=lambda file: file.stat().st_size
    )
    shard.unlink()
    shard_index = shard.with_suffix(".json")
    lost = len(json.loads(shard_index.read_text())["records"])
    missing, *rest = problems(sharing)
    assert f"{shard} is missing" in missing
    lacking = f"{sharing.dataset} refers to {lost} features"
    assert any(lacking in line for line in rest)
    shard_index.unlink()
    found = problems(sharing)
    assert "not on disk" in found[0]
    assert any(lacking in line for line in found)
    assert feature_job.run(sharing).embedded == lost
    assert problems(sharing) == []


def test_a_transform_of_another_store_is_found(sharing):
    feature_job.run(sharing)
    (holding,) = stores_of(sharing)
    (holding.folder / "transform/saved_model.pb").write_bytes(b"nothing")
    (found,) = problems(sharing)
    assert "transform cannot be loaded" in found


@pytest.mark.slow
def test_pruning_drops_what_no_dataset_refers_to(sharing, trained):
    with_copies = experiment.changed(sharing, features={"copies": 1})
    assert feature_job.run(with_copies).embedded > 0
    before = len(Index(str(stores_of(sharing)[0].folder)))
    feature_job.run(sharing)
    (holding,) = stores_of(sharing)
    assert holding.unused
    old = os.stat(holding.folder).st_mtime - 7200
    for name in (".00001-of-00002-left.tfrecord", "00009-of-00016-abc.tfrecord"):
        file = holding.folder / "shards" / name
        file.write_bytes(b"half a shard")
        os.utime(file, (old, old))
    dry = inventory.prune(sharing.store, sharing.dataset, dry=True)
    assert (dry.records, dry.files) == (len(holding.unused), 2)
    assert len(Index(str(holding.folder))) == before
    assert inventory.prune(sharing.store, sharing.dataset, dry=False) == dry
    (after,) = stores_of(sharing)
    assert after.records == before - dry.records
    assert not after.unused
    assert problems(sharing) == []
    dataset = Dataset(sharing.dataset, sharing.store, cache_mb=1)
    original = Dataset(trained["pose"].dataset, trained["pose"].store, cache_mb=1)
    for one, other in zip(dataset.records, original.records, strict=True):
        assert (dataset.features(one) == original.features(other)).all()
    assert feature_job.run(sharing).embedded == 0


@pytest.mark.slow
def test_pruning_drops_stores_without_datasets_whole(sharing):
    feature_job.run(sharing)
    smaller = experiment.changed(sharing, features={"scale": 0.5})
    feature_job.run(smaller)
    first, second = stores_of(smaller)
    for note in (*first.folder.glob("datasets/*"), *second.folder.glob("datasets/*")):
        note.unlink()
    inventory.prune(smaller.store, smaller.dataset, dry=False)
    (left,) = stores_of(smaller)
    assert left.info.recipe.scale == 0.5


def test_pruning_refuses_while_a_dataset_is_away(sharing):
    feature_job.run(sharing)
    shutil.move(sharing.dataset, sharing.dataset + "-moved")
    with pytest.raises(ValueError, match="not found, such as .*dataset"):
        inventory.prune(sharing.store, sharing.dataset, dry=False)


def test_the_verb_lists_verifies_and_prunes(pose_file, trained, capsys):
    file = str(pose_file)
    own = ["--set", f"output={trained['pose'].output}"]
    loaded = experiment.load(file, own[1:])
    assert cli.main(["store", "ls", file, *own]) == 0
    assert f"{len(Index(str(stores_of(loaded)[0].folder)))} features" in capsys.readouterr().out
    assert cli.main(["store", "verify", file, *own]) == 0
    assert "0 problems" in capsys.readouterr().out
    assert cli.main(["store", "prune", file, *own, "--dry-run"]) == 0
    assert "would be dropped" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.main(["store", "burn", file])
