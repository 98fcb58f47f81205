"""Request files for batch prediction, and what the local trial of them finds."""

import base64
import json
from pathlib import Path

import pytest
import tensorflow as tf
import yaml
from cloud.vertex import Vertex

from beampose.pipelines.cli import main
from beampose.pipelines.cloud import prediction_requests, vertex_models


@pytest.fixture
def images(trained):
    return sorted(str(p) for p in Path(trained["crops"].source.path).rglob("film_0_0.jpg"))


@pytest.mark.parametrize("kind", ["pose", "crops"])
@pytest.mark.parametrize("format", ["jsonl", "file-list", "tf-record"])
def test_each_kind_of_request_goes_through_the_signature(
    trained, images, buckets, tmp_path, kind, format
):
    paths = images
    if format == "file-list":
        paths = [f"gs://lab/{i}.jpg" for i in range(len(images))]
        for path, image in zip(paths, images, strict=True):
            buckets.put(path, Path(image).read_bytes())
    target = str(tmp_path / "requests")
    written = prediction_requests.write(paths, target, format)
    assert written.instances == len(images) == 4
    assert 1 <= written.batch_size <= 64
    assert prediction_requests.check(trained[kind].model, target, format) == []


def test_the_lines_are_as_the_service_documents(images, tmp_path):
    prediction_requests.write(images, str(tmp_path / "a.jsonl"), "jsonl")
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    first = json.loads(lines[0])
    assert first["key"] == images[0]
    assert base64.b64decode(first["image_bytes"]["b64"]) == Path(images[0]).read_bytes()
    prediction_requests.write(images, str(tmp_path / "a.tfrecord"), "tf-record")
    records = tf.data.TFRecordDataset(str(tmp_path / "a.tfrecord")).as_numpy_iterator()
    assert list(records) == [Path(image).read_bytes() for image in images]


def test_what_would_fail_is_named_and_the_others_pass(trained, images, tmp_path, capsys):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 no image")
    words = ["requests", str(Path(trained["crops"].output).parent / "crops.yaml")]
    target = tmp_path / "requests.jsonl"
    paths = [images[0], str(tmp_path / "broken.jpg"), *images[1:]]
    assert main([*words, "--to", str(target), "--images", *paths]) == 1
    printed = capsys.readouterr().out
    assert "requests.jsonl:2: is not an image the model can read" in printed
    assert "5 images" in printed and "1 of them fail" in printed
    lines = ["{", '{"key": "a"}', '{"key": "a", "image_bytes": {"b64": "%"}}']
    target.write_text("\n".join(lines))
    found = prediction_requests.check(trained["crops"].model, str(target), "jsonl")
    assert [place.rpartition(":")[2] for place, _ in found] == ["1", "2", "3"]


def test_an_image_above_the_limit_of_a_request_is_refused(tmp_path):
    (tmp_path / "big.png").write_bytes(bytes(1_300_000))
    with pytest.raises(ValueError, match="above the service's"):
        prediction_requests.write([str(tmp_path / "big.png")], str(tmp_path / "out"), "jsonl")
    with pytest.raises(ValueError, match="gs:// addresses"):
        prediction_requests.write([str(tmp_path / "big.png")], str(tmp_path / "out"), "file-list")


def test_a_batch_prediction_of_the_registered_model_is_started(
    trained, images, buckets, tmp_path, capsys
):
    fake = Vertex(execute=False)
    cloud = tmp_path / "cloud.yaml"
    settings = {"project": "my-project", "region": "us-central1", "bucket": "gs://lab/base"}
    settings |= {"image": "a.dev/p/r/i:1", "vertex": {"endpoint": fake.url}}
    cloud.write_text(yaml.safe_dump(settings))
    words = ["requests", str(Path(trained["crops"].output).parent / "crops.yaml")]
    words += ["--to", str(tmp_path / "a.jsonl"), "--images", *images, "--cloud", str(cloud)]
    assert main(words) == 2
    assert "No model 'crops' is registered" in capsys.readouterr().err
    model = "projects/my-project/locations/us-central1/models/7"
    fake.resources[model] = {
        "name": model,
        "displayName": "crops",
        "labels": {"task": "crops"},
    }
    assert main(words) == 0
    (job,) = fake.of("batchPredictionJobs")
    source = job["inputConfig"]["gcsSource"]["uris"][0]
    assert buckets.get(source) == (tmp_path / "a.jsonl").read_bytes()
    assert job["model"] == model and job["inputConfig"]["instancesFormat"] == "jsonl"
    assert job["outputConfig"]["predictionsFormat"] == "jsonl"
    target = job["outputConfig"]["gcsDestination"]["outputUriPrefix"]
    assert target in capsys.readouterr().out
    machine = job["dedicatedResources"]["machineSpec"]["machineType"]
    assert machine == "n1-standard-8"
    assert 1 <= job["manualBatchTuningParameters"]["batchSize"] <= 64
    fake.close()


def test_a_key_goes_to_the_models_that_take_it_and_else_stays_with_the_service():
    def sent(keyed, kind):
        return prediction_requests.Job("m", keyed, "gs://a", kind, "gs://b", "n1", 8).request("x")

    assert "instance_config" not in sent(True, "jsonl")
    assert sent(False, "jsonl")["instance_config"]["key_field"] == "key"
    assert "instance_config" not in sent(False, "file-list")
    for kind in ("file-list", "tf-record"):
        with pytest.raises(ValueError, match="use --kind jsonl"):
            sent(True, kind)


def test_a_served_model_stands_in_a_folder_with_a_number(trained, tmp_path):
    vertex_models.serving_layout(trained["pose"].model, str(tmp_path / "spots"), 3)
    loaded = tf.saved_model.load(str(tmp_path / "spots/3"))
    assert "serving_default" in loaded.signatures
