"""Files of `sweep`: a table of all combinations, best first, and a plot."""

from upath import UPath

from beampose.core import __version__, artefacts, csv_cells, storage
from beampose.core.infos import DatasetInfo, SweepInfo
from beampose.core.infos.search_infos import TrialFigures
from beampose.core.names import INFO
from beampose.core.settings.experiment import Config
from beampose.core.wording import counted
from beampose.pipelines.report import evaluation_files, plots
from beampose.trainer.outcomes import Trial

FOLDER = "sweep"


def write(trials: list[Trial], config: Config, folds: int) -> UPath:
    """Writes `<output>/sweep`: sweep.csv, sweep.json and a plot. Returns the csv."""
    folder = storage.place(config.output, FOLDER)
    unit = trials[0].unit
    target = folder / "sweep.csv"
    with storage.replacing(target) as temporary, temporary.open("w", newline="") as stream:
        writer = csv_cells.Writer(stream)
        writer.writerow([*trials[0].settings, unit, "seconds", "failure"])
        for trial in trials:
            score = "" if trial.score is None else f"{trial.score:.4f}"
            seconds = f"{trial.seconds:.1f}"
            writer.writerow([*trial.settings.values(), score, seconds, trial.failure])
    scored_by = f"{counted(folds, 'fold')}" if folds else "a fifth of the training split"
    dataset = artefacts.find_info(storage.place(config.dataset, INFO), DatasetInfo)
    info = SweepInfo(
        labels=dataset.labels_digest if dataset else "",
        store=dataset.store if dataset else "",
        made_by=f"beampose {__version__} sweep",
        unit=unit,
        scored_by=scored_by,
        trials=[
            TrialFigures(settings=t.settings, score=t.score, seconds=t.seconds, failure=t.failure)
            for t in trials
        ],
    )
    artefacts.write_info(folder / "sweep.json", info)
    named = [(_words(t), t.score) for t in trials if t.score is not None]
    with plots.styled():
        drawn = plots.svg(plots.ranking(named, f"{unit}, by {scored_by}"))
    storage.write_text(folder / "sweep.svg", drawn)
    return target


def table(trials: list[Trial]) -> str:
    """Every combination for a terminal, best first."""
    width = max(len(_words(trial)) for trial in trials)
    return "\n".join(
        f"{_words(trial):<{width}}  {evaluation_files.figure(trial.score, 3):>8}  "
        f"{trial.seconds:6.1f} s" + (f"  FAILED {trial.failure}" if trial.failure else "")
        for trial in trials
    )


def _words(trial: Trial) -> str:
    return "  ".join(f"{key.partition('.')[2]}={value}" for key, value in trial.settings.items())
