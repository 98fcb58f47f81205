"""The stores: what they hold, damage found, and what nobody refers to dropped."""

import dataclasses
import os
import shutil

import pytest

from pipelines import cli
from pipelines.features import inventory, pipeline
from trainer import config
from trainer.dataset import Dataset
from trainer.store import Index


@pytest.fixture
def experiment(trained, tmp_path):
    """A copy of the small experiment, with its store in a folder that others may share."""
    loaded = trained["pose"]
    shutil.copytree(loaded.store, tmp_path / "stores")
    return dataclasses.replace(
        loaded, output=str(tmp_path / "one"), store_=str(tmp_path / "stores")
    )


def stores_of(loaded):
    return inventory.listed(loaded.store, loaded.dataset)


def problems(loaded):
    return list(inventory.verify(loaded.store, loaded.dataset, lambda items, *_: items))


def test_experiments_that_share_a_store_embed_nothing_twice(experiment):
    assert pipeline.run(experiment).embedded == 0
    second = dataclasses.replace(
        experiment,
        output=experiment.output + "-two",
        split=dataclasses.replace(experiment.split, seed=5),
    )
    assert pipeline.run(second).embedded == 0
    (holding,) = stores_of(experiment)
    # The fixture's own dataset is noted in the copied store too.
    assert {experiment.dataset, second.dataset} <= set(holding.datasets)
    assert not holding.unused
    assert problems(experiment) == []


def test_half_written_files_of_a_killed_writer_are_not_read(experiment):
    pipeline.run(experiment)
    (holding,) = stores_of(experiment)
    index = next((holding.folder / "shards").glob("*.json"))
    index.with_name(f".{index.stem}-abc.json").write_text("")
    (holding.folder / "datasets" / ".note-abc.json").write_text("{")
    assert pipeline.run(experiment).embedded == 0
    assert problems(experiment) == []


def test_damage_is_found_and_named(experiment):
    pipeline.run(experiment)
    (holding,) = stores_of(experiment)
    shard = next((holding.folder / "shards").glob("*.tfrecord"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(bytes(data))
    (found,) = problems(experiment)
    assert f"{shard} is damaged" in found
    shard.unlink()
    (found,) = problems(experiment)
    assert f"{shard} is missing" in found
    shard.with_suffix(".json").unlink()
    found = problems(experiment)
    assert "not on disk" in found[0]
    assert any(f"{experiment.dataset} refers to 12 features" in line for line in found)


def test_a_transform_of_another_store_is_found(experiment):
    pipeline.run(experiment)
    (holding,) = stores_of(experiment)
    (holding.folder / "transform/saved_model.pb").write_bytes(b"nothing")
    (found,) = problems(experiment)
    assert "transform cannot be loaded" in found


def test_pruning_drops_what_no_dataset_refers_to(experiment, trained):
    with_copies = dataclasses.replace(
        experiment, features=dataclasses.replace(experiment.features, copies=1)
    )
    assert pipeline.run(with_copies).embedded > 0
    before = len(Index(str(stores_of(experiment)[0].folder)))
    pipeline.run(experiment)
    (holding,) = stores_of(experiment)
    assert holding.unused
    old = os.stat(holding.folder).st_mtime - 7200
    for name in (".00001-of-00002-left.tfrecord", "00009-of-00016-abc.tfrecord"):
        file = holding.folder / "shards" / name
        file.write_bytes(b"half a shard")
        os.utime(file, (old, old))
    dry = inventory.prune(experiment.store, experiment.dataset, dry=True)
    assert (dry.records, dry.files) == (len(holding.unused), 2)
    assert len(Index(str(holding.folder))) == before
    assert inventory.prune(experiment.store, experiment.dataset, dry=False) == dry
    (after,) = stores_of(experiment)
    assert after.records == before - dry.records
    assert not after.unused
    assert problems(experiment) == []
    dataset = Dataset(experiment.dataset, experiment.store, cache_mb=1)
    original = Dataset(trained["pose"].dataset, trained["pose"].store, cache_mb=1)
    for one, other in zip(dataset.records, original.records, strict=True):
        assert (dataset.features(one) == original.features(other)).all()
    assert pipeline.run(experiment).embedded == 0


def test_pruning_drops_stores_without_datasets_whole(experiment):
    pipeline.run(experiment)
    smaller = dataclasses.replace(
        experiment, features=dataclasses.replace(experiment.features, scale=0.5)
    )
    pipeline.run(smaller)
    first, second = stores_of(smaller)
    for note in (*first.folder.glob("datasets/*"), *second.folder.glob("datasets/*")):
        note.unlink()
    inventory.prune(smaller.store, smaller.dataset, dry=False)
    (left,) = stores_of(smaller)
    assert left.info["recipe"]["scale"] == 0.5


def test_pruning_refuses_while_a_dataset_is_away(experiment):
    pipeline.run(experiment)
    shutil.move(experiment.dataset, experiment.dataset + "-moved")
    with pytest.raises(ValueError, match="are not there, such as .*dataset"):
        inventory.prune(experiment.store, experiment.dataset, dry=False)


def test_the_verb_lists_verifies_and_prunes(pose_file, trained, capsys):
    file = str(pose_file)
    own = ["--set", f"output={trained['pose'].output}"]
    loaded = config.load(file, own[1:])
    assert cli.main(["store", "ls", file, *own]) == 0
    assert f"{len(Index(str(stores_of(loaded)[0].folder)))} features" in capsys.readouterr().out
    assert cli.main(["store", "verify", file, *own]) == 0
    assert "0 problems" in capsys.readouterr().out
    assert cli.main(["store", "prune", file, *own, "--dry-run"]) == 0
    assert "would be dropped" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.main(["store", "burn", file])
