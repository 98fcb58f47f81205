"""The experiment file and its checks."""

import pytest

from beampose.core.settings import experiment
from beampose.core.settings.section import ANIMALS, FINETUNING, HEAD, VIEWS, outcome

FILE = """
task: pose
source: {format: deeplabcut, path: project}
output: runs/one
train: {learning_rate: 1e-3}
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text(FILE)
    return path


def test_paths_are_relative_to_the_file(file, tmp_path):
    loaded = experiment.load(file)
    assert loaded.source.path == (tmp_path / "project").as_posix()
    assert loaded.store == (tmp_path / "runs/one/store").as_posix()


def test_a_home_is_where_the_system_says_and_one_that_nobody_knows_is_a_name(
    file, tmp_path, monkeypatch
):
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.setenv("USERPROFILE", "/home/ann")
    for said, meant in (("~/p", "/home/ann/p"), ("~nobody-here/p", f"{tmp_path}/~nobody-here/p")):
        loaded = experiment.load(file, [f"source.path={said}"])
        assert loaded.source.path == meant


def test_a_float_in_scientific_notation_is_a_float(file):
    assert experiment.load(file).train.learning_rate == 1e-3


def test_a_crop_is_a_list_of_numbers(file):
    assert experiment.load(file, ["predict.crop=[1, 5, 2, 6]"]).predict.crop == [1, 5, 2, 6]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.stepz=3", "Did you mean 'train.steps'"),
        ("predict.steps=9", "Did you mean 'train.steps'"),
        ("locref_loww_weight=1", "There is no setting 'locref_loww_weight'"),
        ("train.steps=many", "train.steps must be a whole number"),
        ("train.steps=0", "train.steps must be a whole number from 1 to 100,000,000. Received: 0."),
        ("train.learning_rate=-1", "train.learning_rate must be a number above 0"),
        ("split.by=vidio", "Did you mean 'video'"),
        ("source.format=sleep", "source.format must be one of"),
        ("task=crops", "does not hold labels for task 'crops'"),
        ("predict.videos=a.mp4", "predict.videos must be a list"),
        ("predict.crop=[1, 5, a, 6]", "predict.crop must be a list of whole numbers"),
        ("render.bodyparts=[1]", "render.bodyparts must be a list of words"),
        ("reid.dims=30", "reid.dims must be .* multiple of 4"),
        ("reid.test=0.6", "reid.test must be a number from 0 to 0.5"),
        ("reid.tripletts=9", "Did you mean 'reid.triplets'"),
        ("reid.epochs=0", "reid.epochs must be a whole number from 1"),
        ("outliers.pick=best", "outliers.pick must be one of"),
        ("features=3", "features must be a section of keys"),
        ("train.steps", "--set needs section.key=value"),
        ("train.steps=[", "not YAML"),
    ],
)
def test_a_wrong_setting_is_named(file, override, message):
    with pytest.raises(ValueError, match=message.replace("[", r"\[")):
        experiment.load(file, [override])


def test_overrides_go_through_the_same_checks(file):
    loaded = experiment.load(
        file, ["train.steps=20", "features.weights=random:3", "split.from=x.pickle"]
    )
    assert loaded.train.steps == 20
    assert loaded.features.weights == "random:3"
    assert loaded.split.from_ is not None and loaded.split.from_.endswith("/x.pickle")


@pytest.mark.parametrize("name", ["imagenet", "builtin", "package", "random:7"])
def test_names_of_weights_are_no_paths(file, name):
    assert experiment.load(file, [f"features.weights={name}"]).features.weights == name


def test_a_missing_setting_is_named(file):
    file.write_text("task: pose\noutput: out\n")
    with pytest.raises(ValueError, match="'source' is missing"):
        experiment.load(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.yaml"):
        experiment.load(tmp_path / "none.yaml")


def test_yaml_that_runs_code_is_refused(file):
    file.write_text("task: !!python/object/apply:os.system ['true']\n")
    with pytest.raises(ValueError, match="not a YAML file"):
        experiment.load(file)


def test_to_dict_and_from_dict_are_inverse(file):
    loaded = experiment.load(file, ["split.from=shuffle.pickle"])
    assert experiment.from_dict(experiment.Config, experiment.to_dict(loaded)) == loaded


def test_the_section_reid_is_of_animals_with_bodyparts(tmp_path):
    path = tmp_path / "crops.yaml"
    path.write_text("task: crops\nsource: {format: crops, path: x}\noutput: out\nreid: {epochs: 3}")
    with pytest.raises(ValueError, match="Section 'reid' applies only to task 'pose'; remove it"):
        experiment.load(path)


def test_settings_left_at_their_defaults_are_not_part_of_an_outcome(file):
    loaded = experiment.load(file, ["train.learning_rate=0.002", "features.rotation=25"])
    for section in (loaded.train, loaded.features, loaded.predict):
        assert outcome(section, HEAD, ANIMALS, FINETUNING, VIEWS) == {}


def test_an_outcome_holds_what_changes_it_and_nothing_else(file):
    words = ["steps=9", "cache_mb=9", "mode=finetune", "finetune_steps=9", "edges=9"]
    words = [f"train.{word}" for word in (*words, "checkpoint_every=9")]
    loaded = experiment.load(file, [*words, "features.frames=true"])
    assert outcome(loaded.train, HEAD) == {"steps": 9, "learning_rate": 0.001}
    assert outcome(loaded.train, ANIMALS) == {"edges": 9}
    assert outcome(loaded.train, FINETUNING) == {"finetune_steps": 9}


def test_changed_settings_are_checked_as_those_of_a_file(file):
    loaded = experiment.load(file)
    other = experiment.changed(loaded, store_="stores", train={"steps": 7})
    assert (other.store, other.train.steps, other.train.learning_rate) == ("stores", 7, 0.001)
    assert loaded.train.steps is None
    with pytest.raises(ValueError, match="train.steps must be a whole number"):
        experiment.changed(loaded, train={"steps": "many"})


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf", "nan", "1e999"])
def test_what_is_no_finite_number_is_refused(file, value):
    for key in ("train.learning_rate", "predict.stop", "boxes.pad", "reid.hide"):
        with pytest.raises(ValueError, match=f"{key} must be a number"):
            experiment.load(file, [f"{key}={value}"])


@pytest.mark.parametrize("value", ["true", "1.5", "'1'", "1e3", "null"])
def test_a_whole_number_is_not_guessed_from_other_values(file, value):
    with pytest.raises(ValueError, match="train.hidden must be a whole number"):
        experiment.load(file, [f"train.hidden={value}"])
