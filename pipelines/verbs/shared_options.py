"""Words and options that several verbs share."""

from beampose.pipelines.verbs.verb import Option, amount

NAMED = "videos, folders or globs; default: predict.videos"
SOURCES = "videos, images, folders with either, globs, or lists (csv, txt); default: predict.videos"
PREDICTED = f"{NAMED}, else all that were predicted"

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
