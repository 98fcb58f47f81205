"""Verbs on Google Cloud."""

import dataclasses

from beampose.pipelines.verbs.shared_options import BUDGET, DRY, PRICES
from beampose.pipelines.verbs.verb import Group, Option, Positional, Verb, amount

REGISTER = "--register-only"

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
