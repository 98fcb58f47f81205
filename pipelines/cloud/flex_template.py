"""Entry point of the Flex Template: turns the launcher's words into a verb and starts its job.

Dataflow's launcher runs this file with the template's parameters and Beam's options, each as
--name=value. With --template_location it takes the job from the file written there and starts it
itself, after this process has ended. So what a verb does after its job is left undone, and is done
by the same verb without a template: it keeps all that the job did.
"""

import argparse
import sys
from collections.abc import Sequence

from apache_beam.runners.dataflow.dataflow_runner import DataflowRunner

from beampose.core import files
from beampose.pipelines import beam_options, cli

VERBS = ("features", "predict")
# TensorFlow and our code are in the image, and one process shares the model among its threads.
LOCATION = "--sdk_location"
PROCESSES = "use_multiple_sdk_containers"
TEMPLATE = "--template_location"


class Written(SystemExit):
    """The job's file is written. No Exception, so that no verb takes it for its own failure."""


class TemplateRunner(DataflowRunner):
    """Writes the file of a job, and ends the process where another runner would wait."""

    def run_pipeline(self, pipeline, options, pipeline_proto=None):
        super().run_pipeline(pipeline, options, pipeline_proto)
        raise Written(0)


def parser() -> argparse.ArgumentParser:
    """The template's parameters, which `flex_template.json` describes to Dataflow."""
    # The launcher's own options must not be taken for shortened ones of ours.
    made = argparse.ArgumentParser(
        prog="python -m beampose.pipelines.cloud.flex_template",
        description=__doc__,
        epilog="All other options go to Apache Beam.",
        allow_abbrev=False,
    )
    made.add_argument("--verb", required=True, choices=VERBS, help="verb to run")
    made.add_argument("--config", required=True, help="the experiment's YAML file, gs://…")
    made.add_argument("--sdk_container_image", required=True, help="image that the workers run")
    made.add_argument("--videos", default="", metavar="VIDEO;VIDEO", help="default: the config's")
    made.add_argument(
        "--set", default="", metavar="SECTION.KEY=VALUE;…", help="settings to override"
    )
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the entry point. Returns 0 once the job's file is written, or the verb's exit code."""
    made = parser()
    arguments, beam = made.parse_known_args(argv)
    videos, settings = _listed(arguments.videos), _listed(arguments.set)
    if videos and arguments.verb != "predict":
        made.error("--videos goes with --verb=predict")
    beam = [f"--sdk_container_image={arguments.sdk_container_image}", *_completed(_known(beam))]
    template = any(_name(word) == TEMPLATE for word in beam)
    if template:
        beam = [*_without("--runner", beam), f"--runner={__name__}.{TemplateRunner.__name__}"]
    try:
        overrides = [word for one in settings for word in ("--set", one)]
        return cli.main([arguments.verb, arguments.config, *videos, *overrides, "--", *beam])
    except Written:
        return 0
    except (OSError, ValueError) as error:
        print(f"error: {files.why(error)}", file=sys.stderr)
        return 2


def _listed(text: str) -> list[str]:
    """Semicolons, for gcloud separates parameters by commas."""
    return [one.strip() for one in text.split(";") if one.strip()]


def _name(word: str) -> str:
    return word.partition("=")[0]


def _known(words: Sequence[str]) -> list[str]:
    """Without options that this Beam does not know: the launcher may be newer than the image."""
    for name in beam_options.unknown(words):
        print(f"warning: passed over: {beam_options.refusal(name)}", file=sys.stderr)
        words = _without(f"--{name}", words)
    return list(words)


def _completed(words: Sequence[str]) -> list[str]:
    found = list(words)
    if LOCATION not in {_name(word) for word in words}:
        found.append(f"{LOCATION}=container")
    # An experiment stands beside others, and whoever names this one either way is obeyed.
    if not any(PROCESSES in word for word in words):
        found.append(f"--experiments=no_{PROCESSES}")
    return found


def _without(option: str, words: Sequence[str]) -> list[str]:
    """The words but for an option and its value."""
    kept, skip = [], False
    for word in words:
        if skip and not word.startswith("-"):
            skip = False
        elif _name(word) == option:
            skip = "=" not in word
        else:
            skip = False
            kept.append(word)
    return kept


if __name__ == "__main__":
    # By its name: a runner defined in __main__ is not the one Beam imports.
    from beampose.pipelines.cloud import flex_template

    sys.exit(flex_template.main())
