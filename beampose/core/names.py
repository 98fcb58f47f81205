"""Names of files, weights and signatures that more than one module writes or reads."""

# Of every artefact: what it is, and that it is whole.
INFO, COMPLETED = "info.json", "COMPLETED"
# Of a dataset: labels that cannot be used, one a line.
REJECTS = "rejects.jsonl"
# Of a model.
METRICS = "metrics.json"
SAVED_MODEL = "saved_model"
# In the folder of a store's transform: the backbone as LiteRT reads it, in the store's precision.
LITE = "backbone.tflite"
# What `beampose export` writes.
EXPORTS = ("saved-model", "tflite", "onnx", "dlc-live")
# Signatures of a SavedModel: of a part of frames, of images that are resized already, and of
# several animals with the features that tell them apart.
WINDOW, NETWORK, DESCRIPTORS = "window", "network", "descriptors"
HISTORY, FOLDS_HISTORY = "history.json", "history_folds.json"
# Of an evaluation: every label with its prediction, and the figures of cross validation.
EVALUATION = "evaluation"
LABELS_CSV = "labels.csv"
FOLDS, CURVE = "folds.json", "curve.json"
# Of a folder of frames, crops or plots: the film they are from.
FILM = "film.json"
# Of predictions: frames without a result, one a line.
FAILURES = "failures.jsonl"
# Of predictions by several heads: pixels by which they disagree.
SPREAD = "_spread.csv"
# Of an experiment; the last one holds the state of its training.
REPORT, PLAN, CHECKPOINTS = "report.html", "plan.json", "train/checkpoints"
# Weights that `features.weights` names instead of a file; there is also random:SEED.
NAMED_WEIGHTS = ("imagenet", "builtin", "package")
