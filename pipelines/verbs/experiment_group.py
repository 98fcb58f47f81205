"""Verbs on whole experiments."""

from beampose.pipelines.verbs.shared_options import NAMED
from beampose.pipelines.verbs.verb import Group, Option, Positional, Verb

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
                    only_with="action get",
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
