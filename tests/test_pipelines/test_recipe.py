"""The experiment of an upload, and what a zip may say about it."""

import fakes
import pytest

from beampose.formats import project_search
from beampose.pipelines.cloud import upload_recipe


def written(tmp_path, own=None, template=None, sets=(), project=None):
    project = project or fakes.project(tmp_path / "p")
    if own is not None:
        (project / "beampose.yaml").write_text(own)
    if template is not None:
        (tmp_path / "template.yaml").write_text(template)
        template = str(tmp_path / "template.yaml")
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    found = project_search.find_project(project)
    return upload_recipe.write(work, found, work / "out", template, sets)


def test_a_zip_may_change_its_training_and_what_the_operator_sets_holds(tmp_path):
    config = written(
        tmp_path,
        own="train: {steps: 7, hidden: 9}\nsplit: {by: video}\nfeatures: {copies: 1}\n",
        template="task: pose\noutput: elsewhere\nsource: {format: deeplabcut, path: x, "
        "max_rejects: 0.1}\ntrain: {steps: 9, seed: 3}\nfeatures: {weights: w.npz, "
        "backbone: resnet_compact}\nstore: shared\npredict: {videos: [a.mp4]}\n",
        sets=["train.hidden=11"],
    )
    train = config.train
    assert (train.steps, train.hidden, train.seed, train.window) == (7, 11, 3, None)
    assert (config.split.by, config.features.copies) == ("video", 1)
    assert config.source.max_rejects == 0.1
    assert config.source.path == str(tmp_path / "p")
    assert config.features.weights == str(tmp_path / "w.npz")
    assert config.store == str(tmp_path / "shared")
    assert config.predict.videos == []
    assert config.output == str(tmp_path / "work/out")


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ("output: /tmp/x", "may hold the sections train, split, features"),
        ("source: {path: /etc}", "Received: 'source'"),
        ("store: /tmp", "Received: 'store'"),
        ("predict: {videos: [/dev/zero]}", "Received: 'predict'"),
        ("features: {weights: /etc/passwd}", "may not set features.weights"),
        ("split: {from: /etc/passwd}", "may not set split.from"),
        ("train: {cache_mb: 1000000}", "may not set train.cache_mb"),
        ("train: {steps: 1000000}", "train.steps must be a number from 1 to 20000 here"),
        ("train: {steps: .nan}", "train.steps must be a number"),
        ("train: {steps: .inf}", "train.steps must be a number"),
        ("train: {steps: '1e9'}", "train.steps must be a number"),
        ("train: {steps: -.inf}", "train.steps must be a number"),
        ("train: {steps: [1]}", "train.steps must be a number"),
        ("train: {window: 0}", "train.window must be a number from 1 to 64"),
        ("train: {evaluate_every: 0}", "train.evaluate_every must be a number from 1"),
        ("train: {mode: finetune}", "may not set train.mode"),
        ("train: {finetune_steps: 5}", "may not set train.finetune_steps"),
        ("train: {ensemble: true}", "may not set train.ensemble"),
        ("features: {backbone: resnet101}", "may not set features.backbone"),
        ("features: {frames: true}", "may not set features.frames"),
        ("features: {taps: expanded}", "may not set features.taps"),
        ("features: {pca: 0}", "features.pca must be a number from 1 to 256"),
        ("features: {scale: .nan}", "features.scale must be a number"),
        ("split: {seed: -1}", "split.seed must be a whole number from 0"),
        ("train: {seed: -1}", "train.seed must be a whole number from 0"),
        ("train: {seed: .nan}", "train.seed must be a whole number"),
        ("train: {learning_rate: .nan}", "train.learning_rate must be a number"),
        ("train: {learning_rate: .inf}", "train.learning_rate must be a number"),
        ("train: {dropout: '1e999'}", "train.dropout must be a number"),
        ("train: {stepz: 5}", "Did you mean 'train.steps'"),
        ("train: 5", "Received: 'train'"),
        ("train: [", "is not a YAML file"),
    ],
)
def test_a_zip_may_not_reach_for_paths_or_days_of_work(tmp_path, own, message):
    with pytest.raises(ValueError) as error:
        written(tmp_path, own=own)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("told", "own", "good"),
    [
        ("train: {steps: 50}", "train: {steps: 50}", True),
        ("train: {steps: 50}", "train: {steps: 51}", False),
        ("train: {steps: 50000}", "train: {steps: 20001}", False),
        ("features: {copies: 0}", "features: {copies: 1}", False),
        ("train: {evaluate_every: 100}", "train: {evaluate_every: 99}", False),
        ("train: {evaluate_every: 100}", "train: {evaluate_every: 100}", True),
        ("train: {window: 0}", "train: {window: 0}", True),
        ("train: {window: 0}", "train: {window: 24}", True),
        ("features: {pca: 0}", "features: {pca: 0}", True),
    ],
)
def test_a_zip_may_ask_for_no_more_than_the_template(tmp_path, told, own, good):
    if good:
        assert written(tmp_path, own=own, template=told)
    else:
        with pytest.raises(ValueError, match="must be a number from"):
            written(tmp_path, own=own, template=told)


def test_crops_keep_the_split_their_folders_declare(tmp_path):
    declared = fakes.crops(tmp_path / "c", {"Training/Positive": 1, "Training/Negative": 1})
    assert written(tmp_path, project=declared).split.by == "folder"
    plain = fakes.crops(tmp_path / "d", {"jay": 1, "wren": 1})
    assert written(tmp_path, project=plain).split.by == "image"
    with pytest.raises(ValueError, match="is for task 'pose'; the upload is for 'crops'"):
        written(tmp_path, project=plain, template="task: pose")
