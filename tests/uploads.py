"""Zips that are uploaded, whole and broken, and what stands for hours of training."""

import zipfile
from pathlib import Path

import fakes

from beampose.core import artefacts, storage
from beampose.core.infos import AuditInfo
from beampose.pipelines.cloud import publish, upload_run, upload_status

TINY = """
train: {steps: 6, batch_size: 4, hidden: 8, layers: 1, evaluate_every: 3, checkpoint_every: 6}
features: {copies: 0, batch_size: 4}
render: {images: 2}
"""


def zipped(folder, target, prefix=""):
    """Zips a folder's files below `prefix`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            archive.write(file, prefix + file.relative_to(folder).as_posix())
    return target


def quick(config, stage):
    """Stands for hours of training: looks at the labels and leaves what a run leaves."""
    from beampose.pipelines.features import labeled_source

    stage(upload_status.FEATURES)
    labels, _ = labeled_source.read(config)
    output = Path(config.output)
    for name in ("model", "dataset", "evaluation", "store"):
        (output / name).mkdir(parents=True)
        info = AuditInfo(suspicious=0, labels=0).replace(path=config.source.path)
        artefacts.complete(str(output / name), info)
    stage(upload_status.TRAINING)
    (output / "model/weights.bin").write_bytes(b"\xff" * 1000)
    (output / "dataset/rejects.jsonl").write_text("")
    (output / "report.html").write_text(f"<p>{config.source.path}</p>", encoding="utf-8")
    stage(upload_status.REPORT)
    return publish.Result({"labels": len(labels.items)}, len(labels.problems))


QUICK = upload_run.Settings(run=quick)


def never(config, stage):
    raise AssertionError("this must not run")


def drop(place, buckets, file, name="reach.zip"):
    """Puts a zip into `incoming/` of a folder or bucket; the upload it is."""
    if not place.startswith("gs://"):
        target = Path(place, "incoming", name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
        address = str(target)
    else:
        address = f"{place}/incoming/{name}"
        buckets.put(address, file.read_bytes())
    generation = upload_run.generation_of(storage.place(address))
    return upload_run.Upload(name.removesuffix(".zip"), address, generation)


def result_of(upload, place):
    return storage.place(place, "models", upload.name, upload.generation)


def anchors():
    """A config.yaml of a kilobyte that is gigabytes once spelled out."""
    text = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
    for i in range(1, 10):
        text += f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n"
    return text + "bodyparts: *a9\nscorer: Ann\n"


def link():
    made = zipfile.ZipInfo("link")
    made.create_system, made.external_attr = 3, 0o120777 << 16
    return made


# What is in the zip beside a good project.
ADDED = {
    "several": [("second/config.yaml", b""), ("second/labeled-data/a.txt", b"")],
    "escape": [("../../evil.txt", b"evil")],
    "bomb": [("zeros.png", bytes(30_000_000))],
    "link": [(link(), b"/etc/passwd")],
}


def broken(tmp_path, what):
    """A zip that must fail."""
    project = fakes.project(tmp_path / "broken")
    if what == "no labels":
        (project / "labeled-data/cam1/CollectedData_Ann.csv").unlink()
    elif what == "no yaml":
        (project / "config.yaml").write_text("a: [")
    elif what == "anchors":
        (project / "config.yaml").write_text(anchors())
    elif what == "empty":
        (project / "config.yaml").unlink()
        # Tables of labels would do without it.
        for table in project.rglob("CollectedData*"):
            table.unlink()
    target = zipped(project, tmp_path / "broken.zip", "reach/")
    with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, data in ADDED.get(what, []):
            archive.writestr(name, data)
    if what == "text":
        target.write_text("no zip at all")
    return target


BROKEN = {
    "no labels": "holds no labels",
    "no yaml": "config.yaml is not a YAML file",
    "anchors": "once its anchors are spelled out",
    "several": "holds 2 projects: reach (deeplabcut), second (deeplabcut)",
    "empty": "holds no project",
    "escape": "would leave its folder",
    "bomb": "unpacks to more than",
    "link": "is a link",
    "text": "is not a complete zip",
}
