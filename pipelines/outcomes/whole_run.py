"""All steps of an experiment, one after the other."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from beampose.core import artefacts, folder_lock
from beampose.core.infos import ModelInfo
from beampose.core.settings.experiment import Config
from beampose.pipelines.outcome import Outcome
from beampose.pipelines.outcomes import model_outcomes, video_outcomes


def each(
    config: Config,
    videos: Sequence[str],
    progress: Callable[..., Iterable],
    beam_words: Sequence[str] = (),
) -> Iterator[Outcome]:
    """Features, train, evaluate, and with videos predict, track and render; then a report.

    Photographs are predicted, and there is no step for them after that.

    Predictions of another model are replaced: the model may be new.
    """
    with folder_lock.experiment(config.output):
        yield from _steps(config, videos, progress, beam_words)


def _steps(
    config: Config,
    videos: Sequence[str],
    progress: Callable[..., Iterable],
    beam_words: Sequence[str],
) -> Iterator[Outcome]:
    from beampose.pipelines.features import feature_job

    yield feature_job.run(config, beam_words)
    yield model_outcomes.train(config)
    yield model_outcomes.evaluate(config)
    if videos:
        from beampose.pipelines.predict import prediction_job

        yield prediction_job.run(config, videos, beam_words, overwrite=True)
        films = video_outcomes.films_among(videos)
        # Only the trained model says whether it finds several animals.
        if films and artefacts.require(config.model, ModelInfo).assembly:
            yield video_outcomes.track(config, films, progress)
            yield video_outcomes.reid(config, films, progress)
        if films:
            yield video_outcomes.render(config, films, progress)
    yield model_outcomes.report(config)
