"""An experiment as one object: the steps of the command line, from a notebook."""

import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beampose.core.settings import experiment
from beampose.pipelines import causes
from beampose.pipelines.outcome import Outcome
from beampose.pipelines.outcomes import (
    label_outcomes,
    model_outcomes,
    space_outcomes,
    video_outcomes,
)
from beampose.pipelines.outcomes.label_outcomes import Checked
from beampose.pipelines.outcomes.model_outcomes import Evaluated, Reported, Trained
from beampose.pipelines.outcomes.space_outcomes import Triangulated
from beampose.pipelines.outcomes.video_outcomes import Reidentified, Tracked, Written
from beampose.public import given_paths, predictions
from beampose.public.loaded_model import Model
from beampose.public.predictions import Predictions

if TYPE_CHECKING:
    from beampose.pipelines.exports import model_export
    from beampose.pipelines.features import feature_job
    from beampose.pipelines.predict import prediction_job

_VIDEO = "a video"


class Experiment:
    """An experiment: its settings, and the steps from labels to predictions.

    Every step is the verb of the command line of that name. It may be stopped and repeated:
    finished work is kept. Where no video is named those of the settings are meant, and if there are
    none, after `predict` all that were predicted. It returns a result that prints as the command
    line does and is a table in a notebook; its `passed` is False where an input could not be used.
    Steps raise

      FileNotFoundError: a file is missing, or a step before was not run; the text names it.
      ValueError: a setting or an input is wrong.
      OSError: a file cannot be read or written.
      ModuleNotFoundError: a library is not installed; the text says what to do.

    Attributes:
      config: the settings, checked; paths are absolute.
    """

    def __init__(
        self, file: str | os.PathLike | None = None, /, *, progress: bool = False, **settings: Any
    ):
        """Reads an experiment from a file, from keywords, or from a file that keywords change.

        Experiment("mouse.yaml")
        Experiment("mouse.yaml", train={"steps": 800})
        Experiment(
            task="pose",
            source={"format": "deeplabcut", "path": "mouse-me-2026-01-01"},
            output="runs/mouse",
        )

        Args:
          file: a YAML file; paths in it are relative to it.
          progress: shows bars.
          settings: sections and keys of the file. Without a file, paths are relative to the
            current folder; a keyword that changes a file is relative to the file.

        Raises:
          FileNotFoundError: no such file.
          ValueError: an unknown setting, or a value of the wrong type or out of range.
        """
        if file is None:
            self.config = experiment.from_values(_plain(settings), Path.cwd() / "keywords")
        else:
            path = given_paths.text(file, "the file of an experiment")
            self.config = experiment.load(path, list(_overrides(settings)))
        self._bars = progress

    def check(self) -> Checked:
        """Reads the labels and every image, and lists all problems."""
        with causes.plainly("check"):
            return label_outcomes.check(self.config, self._progress)

    def features(self, beam_options: Sequence[str] = ()) -> "feature_job.Summary":
        """Embeds what the store lacks and writes the dataset.

        Args:
          beam_options: of Apache Beam, such as --runner=DataflowRunner; none runs here.
        """
        with _tensorflow("features"):
            from beampose.pipelines.features import feature_job

            return feature_job.run(self.config, beam_options)

    def train(self) -> Trained:
        """Trains the head on stored features, and exports and verifies the model."""
        with _tensorflow("train"):
            return model_outcomes.train(self.config)

    def evaluate(self) -> Evaluated:
        """Measures the model on the labeled images, and draws them."""
        with _tensorflow("evaluate"):
            return model_outcomes.evaluate(self.config)

    def predict(
        self, *videos: str | os.PathLike, overwrite: bool = False, beam_options: Sequence[str] = ()
    ) -> "prediction_job.Summary":
        """Predicts every frame of videos.

        Args:
          videos: videos, folders or globs; none means those of the settings.
          overwrite: whether predictions of another model or other settings may be replaced.
          beam_options: as of `features`.
        """
        with _tensorflow("predict"):
            from beampose.pipelines.predict import prediction_job

            chosen = self._videos(videos)
            return prediction_job.run(self.config, chosen, beam_options, overwrite=overwrite)

    def export(
        self, format: str, *, to: str | os.PathLike | None = None, size: str | None = None
    ) -> "model_export.Exported":
        """Writes the model for another runtime, runs it there, and compares.

        Args:
          format: tflite, onnx, dlc-live or saved-model.
          to: folder; None = `export/<format>` in the output.
          size: HEIGHTxWIDTH of the images in pixels, of tflite and onnx; None = as in training.
        """
        with _tensorflow("export"):
            from beampose.pipelines.exports import model_export

            return model_export.run(self.config, format, _text(to), size)

    def report(self) -> Reported:
        """Writes report.html and its plots from what is there."""
        with causes.plainly("report"):
            return model_outcomes.report(self.config)

    def track(self, *videos: str | os.PathLike, labels: str | os.PathLike | None = None) -> Tracked:
        """Makes tracks of several predicted animals.

        Args:
          labels: a file with the identities of animals (h5, csv, slp, json), to measure by.
        """
        with causes.plainly("track"):
            chosen = self._predicted(videos)
            return video_outcomes.track(self.config, chosen, self._progress, labels=_text(labels))

    def reid(
        self, *videos: str | os.PathLike, labels: str | os.PathLike | None = None
    ) -> Reidentified:
        """Learns to tell animals apart by how they look, and makes tracks by it.

        Args:
          labels: as of `track`.
        """
        with _tensorflow("reid"):
            chosen = self._predicted(videos)
            return video_outcomes.reid(self.config, chosen, self._progress, labels=_text(labels))

    def filter(self, *videos: str | os.PathLike) -> Written:
        """Smooths predictions and bridges gaps; the files' names end in `_filtered`."""
        with causes.plainly("filter"):
            return video_outcomes.smooth(self.config, self._predicted(videos))

    def plot(self, *videos: str | os.PathLike, filtered: bool = False) -> Written:
        """Plots predictions: where, over time, how sure, how far they jump.

        Args:
          filtered: of those that `filter` made.
        """
        with causes.plainly("plot"):
            return video_outcomes.plot(self.config, self._predicted(videos), filtered=filtered)

    def render(self, *videos: str | os.PathLike, filtered: bool = False) -> Written:
        """Draws predictions into videos.

        Args:
          filtered: those that `filter` made.
        """
        with causes.plainly("render"):
            chosen = self._predicted(videos)
            return video_outcomes.render(self.config, chosen, self._progress, filtered=filtered)

    def triangulate(
        self,
        views: Mapping[str, str | os.PathLike],
        calibration: str | os.PathLike | None = None,
        *,
        to: str | os.PathLike | None = None,
        filtered: bool = False,
        film: bool = False,
        **options: Any,
    ) -> Triangulated:
        """Finds points in space from the predictions of several cameras, and writes them.

        experiment.triangulate({"left": "trial-left.mp4", "right": "trial-right.mp4"}, "rig.toml")

        Args:
          views: videos by the names of their cameras.
          calibration: None means that of the settings.
          to: what the files begin with; None: in the predictions, after the videos.
          filtered: of those that `filter` made.
          film: also draws films.
          options: synchronise ("number", "times", "light" or "motion"), offsets (frames by view),
            max_error (pixels), smooth, bones: as on the command line.
        """
        with causes.plainly("triangulate"):
            return space_outcomes.triangulate(
                self.config,
                space_outcomes.named(
                    {name: given_paths.text(path, _VIDEO) for name, path in views.items()}
                ),
                _text(calibration),
                self._progress,
                film=film,
                to=_text(to),
                filtered=filtered,
                **options,
            )

    def run(self, *videos: str | os.PathLike) -> list[Outcome]:
        """All of it: features, train, evaluate; predict, track and render, if there are videos; and
        a report. Returns the result of each."""
        with _tensorflow("run"):
            from beampose.pipelines.outcomes import whole_run

            chosen = _texts(videos) or self.config.predict.videos
            return list(whole_run.each(self.config, chosen, self._progress))

    def load_model(self) -> Model:
        """The trained model, to predict arrays of frames with."""
        with causes.plainly("predict"):
            return Model(self.config.model)

    def load_predictions(self, video: str | os.PathLike, *, filtered: bool = False) -> Predictions:
        """The predictions of a video, of several animals their tracks; or of photographs.

        Args:
          video: or a folder, a list or an image that was predicted.
          filtered: those that `filter` made.
        """
        from beampose.pipelines.results import named_sets, result_files

        path = given_paths.text(video, _VIDEO)
        # Of crops there are no keypoints, and `tables` says so.
        if self.config.kind.points:
            named = named_sets.apart(self.config, [path])
            for lost, why in named.lost:
                raise ValueError(f"{lost}: {why}.")
            for said in named.sets.values():
                if filtered:
                    raise ValueError(f"{path}: is a set of photographs, which `filter` leaves out.")
                return predictions.read(f"{named_sets.stem(self.config, said)}.h5")
        found, failures = result_files.tables(self.config, [path])
        try:
            for _, why in failures:
                raise ValueError(why)
            return predictions.read(found[0].table(filtered=filtered))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def _videos(self, videos: Iterable[str | os.PathLike]) -> Sequence[str]:
        return video_outcomes.chosen(_texts(videos), self.config)

    def _predicted(self, videos: Iterable[str | os.PathLike]) -> Sequence[str]:
        return video_outcomes.predicted(_texts(videos), self.config)

    def _progress(self, items: Iterable, total: int, what: str) -> Iterable:
        if not self._bars:
            return items
        from tqdm.auto import tqdm

        return tqdm(items, total=total, desc=what, unit="")

    def __repr__(self) -> str:
        return (
            f"<Experiment: {self.config.task} from {self.config.source.path} to "
            f"{self.config.output}>"
        )

    def _repr_html_(self) -> str:
        import yaml

        text = yaml.safe_dump(experiment.to_dict(self.config), sort_keys=False)
        return f"<pre>{escape(text)}</pre>"


@contextmanager
def _tensorflow(step: str) -> Iterator[None]:
    """The block of a step that needs TensorFlow, which is imported without its chatter."""
    from beampose.trainer.quiet import import_tensorflow

    # tensorflow-transform warns through absl, and says itself that it may be ignored.
    log = logging.getLogger("absl")
    with causes.plainly(step):
        import_tensorflow()
        log.addFilter(_is_error)
        try:
            yield
        finally:
            log.removeFilter(_is_error)


def _is_error(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


def _text(path: str | os.PathLike | None) -> str | None:
    return None if path is None else given_paths.text(path, "a file or a folder, or None")


def _texts(videos: Iterable[str | os.PathLike]) -> list[str]:
    return [given_paths.text(video, _VIDEO) for video in videos]


def _overrides(settings: dict[str, Any], above: str = "") -> Iterator[str]:
    """Nested settings as the command line has them: section.key=value."""
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _overrides(value, f"{above}{key}.")
        else:
            yield f"{above}{key}={json.dumps(_plain(value))}"


def _plain(value: Any) -> Any:
    """Paths as text, tuples and arrays as lists, numbers of NumPy as those of Python."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if hasattr(value, "tolist"):  # Also of pandas.
        return _plain(value.tolist())
    return os.fsdecode(value) if isinstance(value, (bytes, os.PathLike)) else value
