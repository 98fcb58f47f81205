"""A prediction without Beam: one film after the other in this process, range by range."""

import functools
from collections import Counter
from collections.abc import Iterator, Sequence

from beampose.core import files
from beampose.core.infos import PredictionInfo
from beampose.pipelines.film_names import Film
from beampose.pipelines.manifest import Range
from beampose.pipelines.predict import film_outcomes, film_work
from beampose.pipelines.predict.film_outcomes import Refused
from beampose.pipelines.predict.film_work import Chosen
from beampose.pipelines.predict.inference import SavedModelHandler
from beampose.pipelines.predict.job_output import Output
from beampose.pipelines.still_sets import Sources


class Loop:
    """Predicts films as the job of `prediction_pipeline` does: the same files, the same ranges."""

    def put(self, sources: Sources) -> Sources:
        """What this process reads can stay where it is."""
        return sources

    def run(
        self,
        films: Sequence[Film],
        output: Output,
        chosen: Chosen,
        handler: SavedModelHandler,
    ) -> tuple[list[PredictionInfo | Refused], dict[str, int]]:
        """The outcome of each film, in their order, and the counters of the run."""
        work = _Work(output, chosen, handler)
        return [work.outcome(film) for film in films], dict(work.counters)


class _Work:
    """One model and the counters of a run."""

    def __init__(self, output: Output, chosen: Chosen, handler: SavedModelHandler):
        self.counters: Counter[str] = Counter()
        self._output, self._chosen, self._handler = output, chosen, handler
        self._model = functools.cache(handler.load_model)

    def outcome(self, film: Film) -> PredictionInfo | Refused:
        """Predicts a film."""
        try:
            kept = film_work.kept(self._output, film, self._count)
            if kept is not None:
                return kept
            stretches = list(film_work.stretches(self._output, film, self._chosen))
        except (ValueError, OSError) as error:
            self._count("videos_failed", 1)
            return Refused(film.path, files.why(error))
        parts = [part for stretch in stretches for part in self._predicted(stretch)]
        _, said = film_work.assembled(self._output, film.name, parts, self._count)
        return film_outcomes.parsed(film, said)

    def _predicted(self, stretch: tuple[Range, ...]) -> Iterator[Range]:
        given = stretch, self._output, self._chosen.view, self._handler
        for _, part in film_work.predict(*given, self._model, self._count):
            yield part

    def _count(self, name: str, amount: int) -> None:
        self.counters[name] += amount
