"""The steps of the prediction job, one DoFn each."""

from collections.abc import Iterable, Iterator

import apache_beam as beam
from apache_beam import pvalue
from apache_beam.metrics import Metrics
from apache_beam.utils import shared

from beampose.core import files
from beampose.pipelines.film_names import Film
from beampose.pipelines.manifest import Range
from beampose.pipelines.predict import commit, film_outcomes, film_work
from beampose.pipelines.predict.film_work import Chosen
from beampose.pipelines.predict.inference import SavedModelHandler
from beampose.pipelines.predict.view import View
from beampose.trainer import devices

RANGES, OUTCOMES = "ranges", "outcomes"


def count(name: str, amount: int) -> None:
    """Adds to a counter of the job."""
    Metrics.counter("predict", name).inc(amount)


class Index(beam.DoFn):
    """A film or a set of images to its stretches of ranges; why not, where that is impossible.

    A video whose files are there from an earlier run gives only its outcome, as one that cannot be
    predicted does.
    """

    def __init__(self, output: commit.Output, chosen: Chosen):
        self.view = chosen.view
        self._output = output
        self._chosen = chosen

    def process(self, film: Film) -> Iterator:
        try:
            kept = film_work.kept(self._output, film, count)
            if kept is not None:
                outcome = film_outcomes.of_summary(film.name, kept)
                yield pvalue.TaggedOutput(OUTCOMES, outcome)
                return
            yield from film_work.stretches(self._output, film, self._chosen)
        except (ValueError, OSError) as error:
            count("videos_failed", 1)
            outcome = film_outcomes.of_refusal(film.name, film.path, files.why(error))
            yield pvalue.TaggedOutput(OUTCOMES, outcome)


class PredictRanges(beam.DoFn):
    """Decodes ranges, runs the model, keeps the results; gives (name of the video, range)."""

    def __init__(
        self, handler: SavedModelHandler, output: commit.Output, view: View, gpus: int = 0
    ):
        self._handler = handler
        self._output = output
        self._view = view
        self._gpus = gpus
        self._shared = shared.Shared()

    def setup(self):
        devices.require(self._gpus)

    def process(self, stretch: tuple[Range, ...]) -> Iterator[tuple[str, Range]]:
        yield from film_work.predict(
            stretch,
            self._output,
            self._view,
            self._handler,
            lambda: self._handler.acquire(self._shared),
            count,
        )


class Assemble(beam.DoFn):
    """All ranges of a video to its files; gives the outcome."""

    def __init__(self, output: commit.Output):
        self._output = output

    def process(self, element: tuple[str, Iterable[Range]]) -> Iterator:
        yield film_work.assembled(self._output, element[0], list(element[1]), count)


class WriteOutcomes(beam.PTransform):
    """Writes outcomes, of many films a file.

    Args:
      folder: of the predictions.
      films: how many there are.
    """

    def __init__(self, folder: str, films: int):
        super().__init__()
        self._folder, self._files = folder, film_outcomes.files_for(films)

    def expand(self, input_or_inputs):
        return (
            input_or_inputs
            | "ByFile" >> beam.Map(film_outcomes.by_file, self._files)
            | "GroupByFile" >> beam.GroupByKey()
            | "WriteOutcomes" >> beam.Map(film_outcomes.write, self._folder)
        )
