"""The Flex Template's entry point: the launcher's words in, what Dataflow is told out."""

import json
import re
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability import python_urns
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from beampose.pipelines import cli
from beampose.pipelines.cloud import flex_template

ROOT = Path(__file__).parents[2]
METADATA = json.loads((ROOT / "pipelines/cloud/flex_template.json").read_text(encoding="utf-8"))
IMAGE = "europe-west4-docker.pkg.dev/zoo/beampose/beampose:1-cpu"


def launcher_words(folder, **parameters):
    """As Dataflow's launcher orders and spells them, and an address that answers nothing."""
    (folder / "staging").mkdir(exist_ok=True)
    beam = {
        "runner": "DataflowRunner",
        "project": "zoo",
        "region": "europe-west4",
        "job_name": "first",
        "template_location": folder / "job_object",
        "staging_location": folder / "staging",
        "temp_location": folder / "temp",
        "requirements_cache": folder / "cache",
        "service_account_email": "worker@zoo.iam.gserviceaccount.com",
        "max_num_workers": 5,
        "machine_type": "n1-standard-4",
        "labels": '{"goog-dataflow-provided-template-type": "flex"}',
        "dataflow_endpoint": "http://localhost:1",
    }
    parameters = {"sdk_container_image": IMAGE, **parameters}
    return [*(f"--{name}={value}" for name, value in (parameters | beam).items()), "--no_auth"]


def run_the_job(folder):
    """Does in this process what Dataflow's workers would do."""
    proto = beam_runner_api_pb2.Pipeline()
    proto.ParseFromString(next(folder.rglob("pipeline.pb")).read_bytes())
    for environment in proto.components.environments.values():
        environment.urn = python_urns.EMBEDDED_PYTHON
        environment.ClearField("dependencies")
    FnApiRunner().run_via_runner_api(proto, PipelineOptions([])).wait_until_finish()


@pytest.mark.slow
def test_a_template_of_features_is_a_job_whose_work_the_verb_then_keeps(
    pose_file, tmp_path, buckets, capsys
):
    settings = ["split.seed=3", "output=gs://lab/out"]
    words = launcher_words(tmp_path, verb="features", config=pose_file, set=";".join(settings))
    assert flex_template.main(words) == 0, capsys.readouterr().err
    job = json.loads((tmp_path / "job_object").read_text())
    environment = job["environment"]
    assert environment["workerPools"][0]["workerHarnessContainerImage"] == IMAGE
    assert "no_use_multiple_sdk_containers" in environment["experiments"]
    assert environment["serviceAccountEmail"] == "worker@zoo.iam.gserviceaccount.com"

    run_the_job(tmp_path)
    overrides = [word for one in settings for word in ("--set", one)]
    assert cli.main(["features", str(pose_file), *overrides]) == 0
    assert "12 labeled images, 0 embedded" in capsys.readouterr().out


def test_without_a_template_the_runner_stays_and_the_verb_runs_to_its_end(monkeypatch):
    seen = []
    monkeypatch.setattr(cli, "main", lambda words: seen.extend(words) or 1)
    words = ["--verb=features", "--config=x.yaml", "--sdk_container_image=i"]
    assert flex_template.main([*words, "--runner=DataflowRunner"]) == 1
    assert "--runner=DataflowRunner" in seen


def test_a_bad_setting_or_option_ends_the_launch_with_a_message(pose_file, tmp_path, capsys):
    given = {"verb": "features", "config": pose_file}
    assert flex_template.main(launcher_words(tmp_path, **given, set="train.step=1")) == 2
    assert "steps" in capsys.readouterr().err
    assert (
        flex_template.main([*launcher_words(tmp_path, **given), "--machine_typ=n1-standard-4"]) == 2
    )
    assert "Did you mean --machine_type?" in capsys.readouterr().err
    assert not (tmp_path / "job_object").exists()


@pytest.mark.parametrize("runner", [["--runner=DataflowRunner"], ["--runner", "DataflowRunner"]])
def test_videos_and_settings_are_parted_at_semicolons(monkeypatch, runner):
    seen = []
    monkeypatch.setattr(cli, "main", lambda words: seen.extend(words) or 0)
    words = ["--verb=predict", "--config=gs://b/x.yaml", f"--sdk_container_image={IMAGE}"]
    words += ["--videos=gs://b/a.mp4; gs://b/c,d/*.mp4", "--set=a.b=1;c.d=[2, 3]", *runner]
    assert flex_template.main([*words, "--template_location=gs://b/job", "--region=r"]) == 0
    cut = seen.index("--")
    assert seen[:cut] == [
        *("predict", "gs://b/x.yaml", "gs://b/a.mp4", "gs://b/c,d/*.mp4"),
        *("--set", "a.b=1", "--set", "c.d=[2, 3]"),
    ]
    assert seen[cut + 1 :] == [
        f"--sdk_container_image={IMAGE}",
        "--template_location=gs://b/job",
        "--region=r",
        "--sdk_location=container",
        "--experiments=no_use_multiple_sdk_containers",
        "--runner=beampose.pipelines.cloud.flex_template.TemplateRunner",
    ]


def test_what_a_newer_launcher_says_is_passed_over_with_a_line(monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(cli, "main", lambda words: seen.extend(words) or 0)
    words = ["--verb=features", "--config=gs://b/x.yaml", f"--sdk_container_image={IMAGE}"]
    words += ["--autoscalingMode=NEW", "--launcher_word", "x", "--experiments=use_runner_v2"]
    assert flex_template.main([*words, "--region=r"]) == 0
    beam = seen[seen.index("--") + 1 :]
    assert not any("autoscalingMode" in word or word == "x" for word in beam)
    told = capsys.readouterr().err
    assert told.count("warning: passed over: Beam has no option --") == 2
    assert "--autoscalingMode." in told and "--launcher_word." in told
    # What keeps one process a worker stands beside other experiments.
    assert "--experiments=use_runner_v2" in beam
    assert "--experiments=no_use_multiple_sdk_containers" in beam
    seen.clear()
    assert flex_template.main([*words, "--experiments=use_multiple_sdk_containers"]) == 0
    assert not any("no_use_multiple" in word for word in seen)


def test_videos_without_predict_are_refused(capsys):
    words = ["--verb=features", "--config=x", "--sdk_container_image=i", "--videos=a.mp4"]
    with pytest.raises(SystemExit) as stopped:
        flex_template.main(words)
    assert stopped.value.code == 2
    assert "--videos goes with --verb=predict" in capsys.readouterr().err


def test_the_metadata_describes_the_doors_parameters_and_no_other():
    flags = {a.dest: a for a in flex_template.parser()._actions if a.dest != "help"}
    described = {one["name"]: one for one in METADATA["parameters"]}
    assert described.keys() == flags.keys()
    for name, one in described.items():
        assert one.get("isOptional", False) is not flags[name].required
        assert one["label"]
        assert one["helpText"].endswith(".")
    assert set(re.findall(r"\w+", described["verb"]["regexes"][0])) == set(flex_template.VERBS)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("verb", "features", "train"),
        ("config", "gs://zoo/a b/my.yaml", "my.yaml"),
        ("sdk_container_image", IMAGE, "gs://zoo/image"),
        ("sdk_container_image", f"gcr.io/zoo/x@sha256:{'0' * 64}", "beampose"),
        ("videos", "gs://zoo/a.mp4;gs://zoo/videos/*.avi", "a.mp4"),
        ("set", "train.steps=200;output=gs://zoo/out", "train.steps"),
    ],
)
def test_the_metadatas_patterns_take_what_the_door_takes(name, good, bad):
    (one,) = [p for p in METADATA["parameters"] if p["name"] == name]
    assert all(re.fullmatch(pattern, good) for pattern in one["regexes"])
    assert not all(re.fullmatch(pattern, bad) for pattern in one["regexes"])
