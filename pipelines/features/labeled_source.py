"""The labels of an experiment and the split of each, as its config says."""

from beampose import formats
from beampose.core.settings.experiment import Config
from beampose.formats.deeplabcut import shuffles
from beampose.preprocess import split
from beampose.preprocess.labels import Labels


def read(config: Config, *, even_if_empty: bool = False) -> tuple[Labels, list[str]]:
    """Labels of the source and the split of each.

    Raises:
      OSError, ValueError: the source cannot be read or split, or holds no labels.
    """
    settings = config.source
    labels = formats.read(
        settings.format,
        settings.path,
        task=config.task,
        scorer=settings.scorer,
        bodyparts=settings.bodyparts,
        combine=settings.combine,
    )
    if not labels.items and not even_if_empty:
        first = labels.problems[0] if labels.problems else None
        why = f" {first.file}: {first.what}." if first else ""
        raise ValueError(f"{settings.path} holds no labels.{why} `beampose check` lists all.")
    if config.split.from_:
        return labels, shuffles.read(labels.items, config.split.from_, config.split.shuffle)
    by = config.split
    return labels, split.assign(labels.items, by=by.by, test=by.test, seed=by.seed)
