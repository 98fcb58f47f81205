"""Verbs from labels to a model that is judged."""

from beampose.core.names import EXPORTS
from beampose.pipelines.verbs.shared_options import BUDGET, DRY, PRICES
from beampose.pipelines.verbs.verb import Group, Option, Verb, positive, several

# Points of a learning curve, if no number is given.
CURVE_SIZES = 4

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
