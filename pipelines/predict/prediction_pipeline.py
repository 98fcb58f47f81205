"""Videos to predictions as a Beam job; this file only wires."""

from collections.abc import Sequence

import apache_beam as beam

from beampose.core import files
from beampose.core.infos import PredictionInfo
from beampose.core.settings.experiment import Config
from beampose.pipelines import beam_options, beam_runner, inputs, item_files, item_source
from beampose.pipelines.film_names import Film
from beampose.pipelines.predict import film_outcomes, prediction_steps
from beampose.pipelines.predict.film_outcomes import Refused
from beampose.pipelines.predict.film_work import Chosen
from beampose.pipelines.predict.inference import SavedModelHandler
from beampose.pipelines.predict.job_output import Output
from beampose.pipelines.still_sets import Sources


class Job:
    """A job, on the runner that Beam's options name.

    Args:
      words: Beam's options.

    Raises:
      ValueError: an unknown option, or workers that could not see the output.
    """

    def __init__(self, config: Config, words: Sequence[str]):
        self._options = beam_options.parse(words)
        self._output = config.output
        beam_options.check_reachable(self._options, config.output, "The output")
        if config.boxes.path is not None:
            beam_options.check_reachable(self._options, config.boxes.path, "boxes.path")

    def put(self, sources: Sources) -> Sources:
        """Videos and images where the workers see them."""
        if beam_options.shares_disk(self._options):
            return sources
        return inputs.put_sources(sources, self._output)

    def run(
        self,
        films: Sequence[Film],
        output: Output,
        chosen: Chosen,
        handler: SavedModelHandler,
    ) -> tuple[list[PredictionInfo | Refused], dict[str, int]]:
        """The outcome of each film, in their order, and the counters of the run."""
        pipeline = beam.Pipeline(options=self._options)
        place = files.join(output.folder, film_outcomes.FILMS)
        addresses = item_files.write(films, place, film_outcomes.plain)
        hints = beam_options.NetworkOptions.hints(self._options)
        index = prediction_steps.Index(output, chosen)
        build(pipeline, addresses, len(films), index, handler, output, hints=hints)
        counters = beam_runner.finish(pipeline, "predict")
        return list(film_outcomes.read(output.folder, films)), counters


def build(
    pipeline: beam.Pipeline,
    addresses: Sequence[str],
    films: int,
    index: prediction_steps.Index,
    handler: SavedModelHandler,
    output: Output,
    *,
    hints: dict[str, str] | None = None,
) -> None:
    """Wires the steps; names and ranges travel, frames stay inside a step.

    Args:
      addresses: files of the films with the names of their results, see `film_outcomes`.
      films: how many there are.
      hints: resources of the step that runs the model.
    """
    gpus = beam_options.gpus(hints or {})
    indexed = (
        pipeline
        | "Videos" >> item_source.Read(addresses, film_outcomes.film)
        | "OneByOne" >> beam.FlatMap(list)
        | "Index"
        >> beam.ParDo(index).with_outputs(prediction_steps.OUTCOMES, main=prediction_steps.RANGES)
    )
    assembled = (
        indexed[prediction_steps.RANGES]
        | "SpreadRanges" >> beam.Reshuffle()
        | "Predict"
        >> beam.ParDo(
            prediction_steps.PredictRanges(handler, output, index.view, gpus)
        ).with_resource_hints(**(hints or {}))
        | "GroupByVideo" >> beam.GroupByKey()
        | "Assemble" >> beam.ParDo(prediction_steps.Assemble(output))
    )
    _ = (
        (assembled, indexed[prediction_steps.OUTCOMES])
        | "Outcomes" >> beam.Flatten()
        | "Write" >> prediction_steps.WriteOutcomes(output.folder, films)
    )
