"""All verbs and their options, in the groups that `beampose --help` shows."""

import dataclasses

from beampose.core.names import EXPORTS
from beampose.pipelines.verbs.labels_group import LABELS
from beampose.pipelines.verbs.space_group import SPACE
from beampose.pipelines.verbs.verb import Group, Option, Positional, Verb, amount, positive, several

NAMED = "videos, folders or globs; default: predict.videos"
SOURCES = "videos, images, folders with either, globs, or lists (csv, txt); default: predict.videos"
PREDICTED = f"{NAMED}, else all that were predicted"
# Points of a learning curve, if no number is given.
CURVE_SIZES = 4

REGISTER = "--register-only"
BUDGET = Option("--budget", "refuse a job that would cost more", "AMOUNT", type=amount)
PRICES = Option("--prices", "price table; default: list prices of us-central1", "FILE")
BOXES = Option(
    "--boxes",
    "crops: find boxes by motion, or take them from a MegaDetector JSON or an annotations.csv",
    "motion|FILE",
)
DRY = Option(
    "--dry-run",
    "send nothing: show what would be sent to Google Cloud, priced, and all that would be refused",
    switch=True,
    only_with="--cloud",
)
FILTERED = Option("--filtered", "use the predictions that `beampose filter` wrote", switch=True)
IDENTITIES = Option(
    "--labels", "labels with identities (h5, csv, slp, json) to measure the tracks by", "FILE"
)
SLP = Option("--slp", "also write SLEAP's .slp (pip install 'beampose[sleap]')", switch=True)

TRAINING = Group(
    "Training",
    (
        Verb(
            "plan",
            "training_verbs.plan",
            "estimate images, bytes, seconds and money before anything is spent",
            (PRICES, Option("--cloud", "also estimate the cost of this cloud.yaml", "FILE")),
        ),
        Verb(
            "features",
            "training_verbs.features",
            "embed the labeled images once, into the store",
            (BUDGET, PRICES, DRY),
            beam=True,
            cloud=True,
        ),
        Verb("train", "training_verbs.train", "train the head and export the model"),
        Verb(
            "export",
            "training_verbs.export",
            "write the model for LiteRT, ONNX Runtime, DeepLabCut-live or TensorFlow, tried there",
            (
                Option(
                    "--format",
                    "tflite and onnx need: pip install 'beampose[export]'",
                    choices=EXPORTS,
                    required=True,
                ),
                Option("--to", "default: export/FORMAT in the output", "FOLDER"),
                Option(
                    "--size",
                    "of the images, tflite and onnx; default: as in training",
                    "HEIGHTxWIDTH",
                ),
            ),
        ),
        Verb(
            "evaluate",
            "training_verbs.evaluate",
            "measure and draw the model's errors on the labeled images, or cross validate",
            (
                Option(
                    "--folds", "train K heads, each without 1/K of the images", "K", type=several
                ),
                Option("--by", "leave out one video at a time", choices=("video",)),
                Option(
                    "--curve",
                    "train K heads (default 4) on all labels, half, a quarter, …",
                    "K",
                    type=positive,
                    nargs="?",
                    const=CURVE_SIZES,
                ),
            ),
        ),
        Verb(
            "sweep",
            "training_verbs.sweep",
            "train all combinations of --set train.KEY=A,B,C and keep the best as the model",
            (
                Option("--folds", "score by cross validation", "K", type=several),
                Option("--spec", "settings to search: configs/search.yaml", "FILE"),
            ),
        ),
        Verb(
            "store",
            "training_verbs.store",
            "list the stores, verify their checksums, or remove features that no dataset uses",
            (
                Option(
                    "--dry-run",
                    "prune: only say what would be removed",
                    switch=True,
                    only_with="action prune",
                ),
            ),
            actions=("ls", "verify", "prune"),
        ),
    ),
)

VIDEOS = Group(
    "Videos",
    (
        Verb(
            "predict",
            "video_verbs.predict",
            "run the model on videos and photographs",
            (
                BUDGET,
                PRICES,
                BOXES,
                DRY,
                Option(
                    "--overwrite",
                    "replace those by another model, with other settings or of a changed film",
                    switch=True,
                ),
            ),
            videos=SOURCES,
            beam=True,
            cloud=True,
        ),
        Verb(
            "render",
            "video_verbs.render",
            "draw the predictions into copies of the videos",
            (
                FILTERED,
                Option(
                    "--detections",
                    "several animals: draw every detection, before assembly",
                    switch=True,
                ),
            ),
            videos=PREDICTED,
            tensorflow=False,
        ),
    ),
)

ANIMALS = Group(
    "Several animals",
    (
        Verb(
            "track",
            "animal_verbs.track",
            "join the predicted animals into tracks through each video",
            (IDENTITIES, SLP),
            videos=PREDICTED,
            tensorflow=False,
        ),
        Verb(
            "reid",
            "animal_verbs.reid",
            "learn to tell the animals apart by appearance and make tracks with it",
            (IDENTITIES, SLP),
            videos=PREDICTED,
        ),
    ),
)

RESULTS = Group(
    "Results",
    (
        Verb(
            "filter",
            "result_verbs.filter_",
            "smooth the predictions and bridge short gaps",
            videos=PREDICTED,
            tensorflow=False,
        ),
        Verb(
            "plot",
            "result_verbs.plot",
            "plot trajectories, coordinates over time, likelihoods and jumps",
            (FILTERED,),
            videos=PREDICTED,
            tensorflow=False,
        ),
        Verb(
            "outliers",
            "result_verbs.outliers",
            "write badly predicted frames into a DeepLabCut project to be corrected",
            (Option("--to", "project with a config.yaml", "PROJECT", required=True),),
            videos=PREDICTED,
            tensorflow=False,
        ),
        Verb(
            "export-results",
            "result_verbs.export_results",
            "write the results where a DeepLabCut project looks for them, or as NWB, COCO, SimBA",
            (
                Option(
                    "--for",
                    "the program; default: deeplabcut",
                    choices=("deeplabcut", "nwb", "coco", "simba"),
                    default="deeplabcut",
                ),
                Option("--to", "project with a config.yaml, or a folder", "FOLDER", required=True),
                Option(
                    "--images",
                    "COCO file whose ids of images are used; default: images.json is written",
                    "FILE",
                    only_with="--for coco",
                ),
                Option(
                    "--shuffle",
                    "number of the shuffle that stands for the model; default: a free one",
                    "N",
                    type=positive,
                    only_with="--for deeplabcut",
                    not_with="--scorer",
                ),
                Option(
                    "--scorer",
                    "a scorer to write under instead",
                    "NAME",
                    only_with="--for deeplabcut",
                ),
                Option(
                    "--folder",
                    "for the files (DeepLabCut's destfolder); default: beside each video",
                    "FOLDER",
                    only_with="--for deeplabcut",
                ),
            ),
            videos=PREDICTED,
            tensorflow=False,
        ),
        Verb(
            "repeats",
            "video_verbs.repeats",
            "show detections that recur in one place, and dismiss them",
            (
                Option("--dismiss", "the csv that repeats.html saved", "FILE"),
                Option(
                    "--at-least",
                    "frames in a group; default: 10",
                    "N",
                    type=positive,
                    default=10,
                    not_with="--dismiss",
                ),
            ),
            videos=PREDICTED,
            tensorflow=False,
        ),
        Verb(
            "report",
            "training_verbs.report",
            "write report.html and its plots (SVG, PNG)",
            tensorflow=False,
        ),
    ),
)

EXPERIMENT = Group(
    "Whole experiments",
    (
        Verb(
            "run",
            "run_verb.run",
            "run features, train, evaluate, predict, track, render and report in one go",
            videos=NAMED,
            beam=True,
        ),
        Verb(
            "datasets",
            "dataset_verbs.datasets",
            "list the public sets that the figures of the docs were measured on, or get some",
            (
                Option(
                    "--to",
                    "where each gets a folder of its name; default: data",
                    "FOLDER",
                    default="data",
                ),
            ),
            positional=Positional("names", "sets to get", "*"),
            actions=("list", "get"),
            settings=False,
            tensorflow=False,
        ),
        Verb(
            "schema",
            "settings_verbs.schema",
            "print the JSON schema of an experiment file, by which editors complete and check it",
            (
                Option("--cloud", "the schema of a cloud.yaml instead", switch=True),
                Option("--to", "write it into a file", "FILE"),
            ),
            positional=None,
            settings=False,
            tensorflow=False,
        ),
    ),
)

CLOUD = Group(
    "Cloud",
    (
        Verb(
            "submit",
            "cloud_verbs.submit",
            "train on Vertex AI from features in a bucket and register the model",
            (
                Option("--cloud", "settings, as configs/cloud.yaml", "FILE", required=True),
                Option(
                    "--spec",
                    "settings to search: configs/search.yaml",
                    "FILE",
                    not_with=REGISTER,
                ),
                Option("--no-wait", "start the job and return", switch=True, not_with=REGISTER),
                Option(REGISTER, "register the trained model, train nothing", switch=True),
                dataclasses.replace(BUDGET, not_with=REGISTER),
                dataclasses.replace(PRICES, not_with=REGISTER),
                dataclasses.replace(DRY, not_with=REGISTER),
            ),
        ),
        Verb(
            "requests",
            "cloud_verbs.requests",
            "write images as a request file for Vertex batch prediction, tried on the model first",
            (
                Option("--images", "images, folders or globs", nargs="+", required=True),
                Option("--to", "request file to write", "FILE", required=True),
                Option(
                    "--kind",
                    "kind of request file; default: jsonl",
                    choices=("jsonl", "file-list", "tf-record"),
                    default="jsonl",
                ),
                Option("--cloud", "also start the job with this cloud.yaml", "FILE"),
            ),
        ),
        Verb(
            "watch",
            "cloud_verbs.watch",
            "train a model for every zip that arrives in a folder",
            (
                Option("--models", "default: models/ beside incoming/", "FOLDER"),
                Option("--once", "handle the zips that are there, then stop", switch=True),
                Option(
                    "--every",
                    "time between two checks; default: 10",
                    "SECONDS",
                    type=amount,
                    default=10.0,
                ),
                Option(
                    "--hours",
                    "longest time for one zip; default: 12",
                    "HOURS",
                    type=amount,
                    default=12.0,
                ),
                Option("--config", "an experiment whose settings apply to all", "TEMPLATE"),
            ),
            positional=Positional("folder", "folder or gs:// address; zips land in its incoming/"),
        ),
    ),
)

GROUPS = (LABELS, TRAINING, VIDEOS, ANIMALS, SPACE, RESULTS, EXPERIMENT, CLOUD)
