"""Beam options from the words after `--`; the only file that knows one runner from another."""

import difflib
from collections.abc import Sequence

from apache_beam.options.pipeline_options import PipelineOptions, SetupOptions, StandardOptions

from pipelines.runner import LocalRunner

LOCAL = "LocalRunner"


def parse(words: Sequence[str]) -> PipelineOptions:
    """Options of a run; without `--runner` everything happens in this process.

    Raises:
      ValueError: an option Beam does not know. Beam itself would only warn and go on.
    """
    options = PipelineOptions(list(words))
    known = options.get_all_options()
    everything = options.get_all_options(retain_unknown_options=True)
    unknown = sorted(set(everything) - set(known))
    if unknown:
        close = difflib.get_close_matches(unknown[0], known, n=1)
        hint = f" Did you mean --{close[0]}?" if close else ""
        raise ValueError(f"Beam has no option --{unknown[0]}.{hint}")
    stray = [word for word in words if not word.startswith("-")]
    values = {str(value) for value in everything.values() if not isinstance(value, (list, dict))}
    values |= {str(v) for value in everything.values() if isinstance(value, list) for v in value}
    if stray and stray[0] not in values:
        raise ValueError(f"Beam options look like --name=value. Received: {stray[0]!r}.")
    # What a worker runs is imported from the distribution, never pickled from the main module.
    options.view_as(SetupOptions).save_main_session = False
    standard = options.view_as(StandardOptions)
    if standard.runner in (None, LOCAL, f"{LocalRunner.__module__}.{LOCAL}"):
        standard.runner = f"{LocalRunner.__module__}.{LOCAL}"
    return options
