"""The experiment file and its checks."""

import pytest

from beampose.core.settings import experiment

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


def test_a_float_in_scientific_notation_is_a_float(file):
    assert experiment.load(file).train.learning_rate == 1e-3


def test_a_crop_is_a_list_of_numbers(file):
    assert experiment.load(file, ["predict.crop=[1, 5, 2, 6]"]).predict.crop == [1, 5, 2, 6]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.stepz=3", "Did you mean 'train.steps'"),
        ("locref_loww_weight=1", "There is no setting 'locref_loww_weight'"),
        ("train.steps=many", "train.steps must be of type int"),
        ("train.steps=0", "train.steps must be from 1"),
        ("train.learning_rate=-1", "train.learning_rate must be above 0"),
        ("split.by=vidio", "Did you mean 'video'"),
        ("source.format=sleep", "source.format must be one of"),
        ("task=crops", "does not hold labels for task 'crops'"),
        ("predict.videos=a.mp4", "predict.videos must be a list"),
        ("predict.crop=[1, 5, a, 6]", "predict.crop must be a list of whole numbers"),
        ("render.bodyparts=[1]", "render.bodyparts must be a list of words"),
        ("reid.dims=30", "reid.dims must be a multiple of 4"),
        ("reid.test=0.6", "reid.test must be from 0 to 0.5"),
        ("reid.tripletts=9", "Did you mean 'reid.triplets'"),
        ("reid.epochs=0", "reid.epochs must be from 1"),
        ("outliers.pick=best", "outliers.pick must be one of"),
        ("features=3", "features must be a section"),
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
    with pytest.raises(ValueError, match="section reid is of task pose"):
        experiment.load(path)
