"""A path of another kind than is wanted is named by what it is, with what reads it."""

import fakes
import h5py
import pytest

import beampose

FUNCTIONS = (
    beampose.load_labels,
    beampose.load_predictions,
    beampose.load_model,
    beampose.load_calibration,
    beampose.load_points,
    beampose.Experiment,
)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    at = tmp_path_factory.mktemp("at")
    fakes.project(at / "project")
    (at / "my.yaml").write_text(
        "task: pose\nsource: {path: project, format: deeplabcut}\noutput: out\n"
    )
    (at / "a.png").write_bytes(fakes.encode(fakes.pixels(0)))
    (at / "net.csv").write_text(
        "scorer,n,n,n\nbodyparts,nose,nose,nose\ncoords,x,y,likelihood\n0,1,2,0.5\n"
    )
    for name in ("a.slp", "a.nwb"):
        h5py.File(at / name, "w").close()
    (at / "out/model/saved_model/variables").mkdir(parents=True)
    for name in ("COMPLETED", "info.json", "saved_model/saved_model.pb"):
        (at / "out/model" / name).write_text("{}")
    return at


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("path", "what", "how", "right"),
    [
        ("my.yaml", "an experiment", "beampose.Experiment opens it", "Experiment"),
        ("project", "a DeepLabCut project", "load_labels reads its labels", "load_labels"),
        ("project/config.yaml", "the config of a Deep", "load_labels reads", "load_labels"),
        ("project/labeled-data/cam1/CollectedData_Ann.csv", "a label file", "load_labels", ""),
        ("out", "what an experiment wrote", "load_model reads the folder model in it", ""),
        ("out/model", "a model", "load_model reads it", "load_model"),
        ("out/model/saved_model", "the graph of a model", "load_model reads the folder that", ""),
        ("out/model/info.json", "a part of a model", "load_model reads the whole", ""),
        ("out/model/saved_model/variables", "a part of a model", "load_model reads", ""),
        ("a.png", "but a PNG", "", ""),
        ("net.csv", "predictions", "load_predictions reads it", "load_predictions"),
        ("a.slp", "a file of SLEAP", "load_labels reads it, and movement writes", ""),
        ("a.nwb", "a file of NWB", "movement writes its poses as DeepLabCut does", ""),
    ],
)
def test_what_is_mistaken_for_another_is_told(places, function, path, what, how, right):
    own = function.__name__ == right
    if own and right != "load_model":
        function(places / path)
        return
    if function is beampose.load_calibration and path == "project":
        pytest.skip("a folder may hold a calibration beside a project")
    with pytest.raises((ValueError, OSError)) as found:
        function(places / path)
    text = str(found.value)
    own = own or (path == "net.csv" and function is beampose.load_points)
    own = own or (path == "a.slp" and function is beampose.load_labels)
    assert str(places / path) in text
    assert own or (what in text and how in text), text


def test_what_is_wrong_with_the_right_kind_is_the_error(places):
    with pytest.raises(FileNotFoundError, match="No labels at .*none"):
        beampose.load_labels(places / "none")
    (places / "bad.yaml").write_text(
        "task: pose\nsource: {path: project, format: deeplabcut}\noutput: out\nouput: x\n"
    )
    with pytest.raises(ValueError, match="Did you mean 'output'"):
        beampose.Experiment(places / "bad.yaml")
