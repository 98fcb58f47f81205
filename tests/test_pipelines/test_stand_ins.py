"""The stand-ins of Google's services say no where the services do."""

import copy

import pytest
from cloud import dataflow, vertex

JOB = {
    "name": "beampose-features-mice-20260101-000000",
    "labels": {"team": "zoo"},
    "environment": {
        "userAgent": {"name": "Apache Beam Python 3.11 SDK", "version": "2.77.0"},
        "workerPools": [
            {
                "machineType": "n1-standard-4",
                "network": "lab-net",
                "subnetwork": "regions/us-central1/subnetworks/lab",
                "sdkHarnessContainerImages": [{"containerImage": "r-docker.pkg.dev/p/r/i:1"}],
            }
        ],
    },
}
POOL = ("environment", "workerPools", 0)
T4 = "type:nvidia-tesla-t4;count:1;install-nvidia-driver:5xx"


def changed(job, path, value):
    found = place = copy.deepcopy(job)
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return found


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        (("name",), "Beampose_1", "Invalid job name"),
        (("labels",), {"Team": "zoo"}, "Invalid label"),
        ((*POOL, "network"), "projects/1/global/networks/lab", "Invalid network"),
        ((*POOL, "subnetwork"), "lab", "Invalid subnetwork"),
        ((*POOL, "sdkHarnessContainerImages"), [{"containerImage": "a/i"}], "needs a tag"),
        (("hint",), T4.replace("tesla-t4", "l4"), "can not be attached"),
        (("hint",), T4.replace(";install-nvidia-driver:5xx", ""), "without install-nvidia"),
        (("environment", "userAgent", "version"), "2.78.0", "not compatible"),
        (("environment", "userAgent", "name"), "Apache Beam Python 3.12 SDK", "not compatible"),
    ],
)
def test_dataflow_refuses(path, value, why):
    image = ("3.11", "2.77.0")
    assert dataflow.refused(JOB, 0, image) == ""
    assert dataflow.refused({**JOB, "hint": T4}, 0, image) == ""
    assert why in dataflow.refused(changed(JOB, path, value), 0, image)


def test_dataflow_refuses_a_graph_that_is_too_large():
    assert "too large" in dataflow.refused(JOB, 11 * 2**20)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"network": "lab-net"}, "network must be"),
        ({"tensorboard": "projects/1/locations/r/tensorboards/2"}, "requires serviceAccount"),
    ],
)
def test_vertex_refuses_a_training(spec, why):
    assert why in vertex.refused_job(spec)


@pytest.mark.parametrize("machine", ["n2-standard-4", "g2-standard-4"])
def test_vertex_refuses_a_gpu_with_another_machine(machine):
    spec = {"machineType": machine, "acceleratorType": "NVIDIA_TESLA_T4"}
    assert "does not come with" in vertex.refused_job({"workerPoolSpecs": [{"machineSpec": spec}]})


@pytest.mark.parametrize(
    ("image", "alias", "why"),
    [
        ("docker.io/tensorflow/serving:2.19.1", "mice", "must be in Artifact Registry"),
        ("r-docker.pkg.dev/p/r/i:1", "2026-mice", "Invalid version alias"),
        ("r-docker.pkg.dev/p/r/i:1", "mice", ""),
    ],
)
def test_the_registry_refuses_a_model(image, alias, why):
    model = {"containerSpec": {"imageUri": image}, "versionAliases": [alias]}
    found = vertex.refused_model(model)
    assert why in found and bool(why) == bool(found)


@pytest.mark.parametrize(
    ("task", "form", "field", "why"),
    [
        ("pose", "jsonl", None, "unexpected input key"),
        ("pose", "jsonl", "key", ""),
        ("pose", "file-list", None, ""),
        ("crops", "file-list", None, "takes two inputs"),
        ("crops", "jsonl", "key", "missing input key"),
        ("crops", "jsonl", None, ""),
    ],
)
def test_a_batch_prediction_fails_with_inputs_that_the_signature_lacks(task, form, field, why):
    job = {"inputConfig": {"instancesFormat": form}}
    if field:
        job["instanceConfig"] = {"keyField": field}
    found = vertex.refused_batch(job, {"labels": {"task": task}})
    assert why in found and bool(why) == bool(found)
