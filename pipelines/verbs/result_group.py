"""Verbs that write, draw or check results."""

from beampose.pipelines.verbs.shared_options import FILTERED, PREDICTED
from beampose.pipelines.verbs.verb import Group, Option, Verb, positive

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
