"""Verbs that read, write, choose and check labels, and their options."""

from beampose.pipelines.verbs.verb import (
    Group,
    Option,
    Positional,
    Verb,
    port,
    positive,
    rectangle,
    renames,
    several,
    words,
)

TO = Option("--to", "folder to write", "FOLDER", required=True)
SCORER = Option("--scorer", "scorer to write; default: the labels' own", "NAME")
OVERWRITE = Option("--overwrite", "replace files that differ, keeping a copy (.bak)", switch=True)

LABELS = Group(
    "Labels",
    (
        Verb(
            "label",
            "label_page_verbs.label",
            "open a page in the browser to label a project or films, or to sort crops, while a "
            "model learns",
            (
                Option("--bodyparts", "of a new project of films", "A,B,…", type=words),
                Option("--individuals", "of a new project of several animals", "A,B,…", type=words),
                Option("--to", "the new project's folder; default: <film>-labels", "FOLDER"),
                Option("--scorer", "who labels the new project; default: the user", "NAME"),
                Option("--count", "frames of each film to begin with; default: 20", type=positive),
                Option("--classes", "of crops; default: positive,negative", "A,B,…", type=words),
                Option("--host", "address to listen on; default: 127.0.0.1", default="127.0.0.1"),
                Option("--port", "default: the same as before, else a free one", type=port),
                Option("--no-browser", "only print the address", switch=True),
                Option("--no-model", "no model learns beside it", switch=True),
            ),
            positional=Positional(
                "targets", "a project, an experiment, films, or a folder of crops", "+"
            ),
            settings=False,
            tensorflow=False,
        ),
        Verb(
            "check",
            "label_verbs.check",
            "list every problem in the labels",
            (
                Option(
                    "--html",
                    "also draw every label; default file: <output>/labels.html",
                    "FILE",
                    nargs="?",
                    const="",
                ),
            ),
            tensorflow=False,
        ),
        Verb(
            "import-labels",
            "label_verbs.import_labels",
            "write ImageJ, SLEAP, COCO or DeepLabCut labels into a DeepLabCut project",
            (
                TO,
                Option(
                    "--format",
                    "deeplabcut, imagej, sleap, coco or one of another package; default: "
                    "recognised from the files",
                ),
                Option("--bodyparts", "bodyparts to keep, in this order", "A,B,…", type=words),
                Option(
                    "--rename", "bodyparts under other names, before all else", "OLD=NEW,…", renames
                ),
                Option("--labels-by", "scorers to read from a DeepLabCut project", "A,B", words),
                Option(
                    "--combine",
                    "how labels of several scorers become one",
                    choices=("mean", "first"),
                    only_with="--labels-by",
                ),
                SCORER,
                OVERWRITE,
            ),
            positional=Positional("source", "the labels: a file or a folder"),
            settings=False,
            tensorflow=False,
        ),
        Verb(
            "export-labels",
            "label_verbs.export_labels",
            "write the labels and their split for other tools",
            (
                TO,
                Option("--format", "coco, deeplabcut or one of another package", required=True),
                SCORER,
                OVERWRITE,
            ),
            tensorflow=False,
        ),
        Verb(
            "audit",
            "labeling_verbs.audit",
            "rank the labels most likely to be wrong, or apply corrections to them",
            (
                Option(
                    "--folds",
                    "heads to train; default: 5",
                    "K",
                    type=several,
                    default=5,
                    not_with="--apply",
                ),
                Option(
                    "--top",
                    "labels on the page; default: 60",
                    type=positive,
                    default=60,
                    not_with="--apply",
                ),
                Option(
                    "--calibration",
                    "of several cameras: also compare labels with other views of their instant",
                    "FILE",
                    not_with="--apply",
                ),
                Option("--apply", "write the rows marked yes into the labels", "FILE"),
            ),
        ),
        Verb(
            "extract-frames",
            "labeling_verbs.extract_frames",
            "choose frames to label from videos and write them into a DeepLabCut project",
            (
                Option("--to", "project; created if it does not exist", "PROJECT", required=True),
                Option(
                    "--method",
                    "drawn at random, clustered by pixels (as DeepLabCut does; the default), or "
                    "chosen by the backbone's features",
                    choices=("uniform", "kmeans", "features"),
                    default="kmeans",
                ),
                Option(
                    "--cluster",
                    "features: one frame of each cluster, or always the frame farthest from all "
                    "others (the default)",
                    choices=("kmeans", "core-set"),
                    default="core-set",
                    only_with="--method features",
                ),
                Option("--count", "frames per video; default: the project's, or 20", type=int),
                Option("--start", "a fraction of the video, or seconds above 1", type=float),
                Option("--stop", "a fraction of the video, or seconds above 1", type=float),
                Option("--crop", "part of each frame to use", "X1,X2,Y1,Y2", type=rectangle),
                Option(
                    "--every",
                    "consider only every Nth frame",
                    "N",
                    type=int,
                    default=0,
                    not_with="--method uniform",
                ),
                Option("--seed", "another seed chooses other frames", type=int, default=0),
                Option("--bodyparts", "bodyparts of a new project", "A,B,…", type=words),
                Option("--scorer", "scorer of a new project: who labels", "NAME"),
                Option(
                    "--backbone",
                    "features: the network",
                    default="resnet_compact",
                    only_with="--method features",
                ),
                Option(
                    "--weights",
                    "features: its weights",
                    default="builtin",
                    only_with="--method features",
                ),
                Option(
                    "--scale",
                    "features: scale of its input",
                    type=float,
                    default=0.5,
                    only_with="--method features",
                ),
            ),
            positional=Positional("videos", "videos, folders or globs", "+"),
            settings=False,
            tensorflow=False,
        ),
        Verb(
            "extract-crops",
            "video_verbs.extract_crops",
            "cut candidate crops out of videos, to be sorted into Positive and Negative",
            (
                Option("--to", "folder for the crops", "FOLDER", required=True),
                Option(
                    "--boxes",
                    "find boxes by motion, or take them from a MegaDetector JSON or an "
                    "annotations.csv",
                    "motion|FILE",
                ),
                Option("--html", "write sort.html, to sort them in a browser", switch=True),
            ),
            positional=Positional("videos", "videos, images, folders, globs or lists", "+"),
            tensorflow=False,
        ),
    ),
)
