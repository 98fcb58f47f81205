"""The command line: `beampose VERB CONFIG`. Verbs import the heavy libraries they need."""

import argparse
import logging
import os
import sys
from collections.abc import Iterable, Sequence

from beampose.core import __version__
from beampose.pipelines import verbs
from beampose.trainer.quiet import import_tensorflow

EPILOG = "Words after -- go to Apache Beam, such as -- --runner=DataflowRunner --region=us-central1"


def parser() -> argparse.ArgumentParser:
    """All verbs and their arguments."""
    made = argparse.ArgumentParser(
        prog="beampose",
        description="Label a few frames, embed them once, train a head in a minute, run it on "
        "every video you have.",
        epilog=EPILOG,
    )
    made.add_argument("--version", action="version", version=f"beampose {__version__}")
    made.add_argument("--debug", action="store_true", help="show tracebacks and library messages")
    subparsers = made.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, verb in verbs.VERBS.items():
        one = subparsers.add_parser(name, help=verb.help, description=verb.help, epilog=EPILOG)
        if verb.actions:
            one.add_argument("action", choices=verb.actions)
        first = verb.positional
        one.add_argument(first.name, help=first.help, nargs=first.nargs)
        if verb.videos:
            one.add_argument("videos", nargs="*", help="videos, folders or globs; default: config")
        if verb.settings:
            one.add_argument(
                "--set",
                action="append",
                default=[],
                metavar="SECTION.KEY=VALUE",
                help="override a setting, such as --set train.steps=200",
            )
        if verb.cloud:
            one.add_argument("--cloud", metavar="FILE", help="run on Google Cloud: cloud.yaml")
        for flag, known in verb.options:
            one.add_argument(flag, **known)
        one.set_defaults(run=verb.run)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a verb. Returns its exit code; 2 after a message for people."""
    words = list(sys.argv[1:] if argv is None else argv)
    beam_words: list[str] = []
    if "--" in words:
        cut = words.index("--")
        words, beam_words = words[:cut], words[cut + 1 :]
    arguments = parser().parse_args(words)
    if beam_words and not verbs.VERBS[arguments.verb].beam:
        parser().error(f"{arguments.verb} runs no Beam job: it takes no options after --")
    _set_up_logging(arguments.debug)
    arguments.beam = beam_words
    arguments.progress = progress
    try:
        if verbs.VERBS[arguments.verb].tensorflow and not arguments.debug:
            import_tensorflow()
        return arguments.run(arguments)
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on where it was.", file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        if arguments.debug:
            raise
        print(
            f"error: {arguments.verb} needs the package {error.name!r}. Install all that beampose "
            "needs with: pip install 'beampose[all]'",
            file=sys.stderr,
        )
        return 2
    except Exception as error:
        if arguments.debug:
            raise
        print(f"error: {_cause(error)}", file=sys.stderr)
        return 2


def progress(items: Iterable, total: int, what: str) -> Iterable:
    """A bar where a person watches, nothing else elsewhere."""
    if not sys.stderr.isatty():
        return items
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:
        return items
    return tqdm(items, total=total, desc=what, unit="")


def _cause(error: BaseException) -> str:
    """What went wrong, without the traceback that Beam folds into messages."""
    from beampose.core import files

    text = files.why(error).strip() or type(error).__name__
    if isinstance(error, (OSError, ValueError)):
        return text.split(" [while running")[0]
    return f"{type(error).__name__}: {text.splitlines()[0]} (--debug shows the traceback)"


def _set_up_logging(debug: bool) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0" if debug else "3")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.ERROR, format="%(message)s", stream=sys.stderr
    )
    if not debug:
        # tensorflow-transform speaks by way of absl, which has a level of its own.
        logging.getLogger("absl").setLevel(logging.ERROR)
    logging.getLogger("beampose").setLevel(logging.DEBUG if debug else logging.INFO)


if __name__ == "__main__":
    sys.exit(main())
