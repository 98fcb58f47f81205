"""Command line: `beampose VERB CONFIG`. A verb's code is imported when the verb runs."""

import argparse
import contextlib
import logging
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence

from beampose.core import __version__, leftovers
from beampose.pipelines import verbs
from beampose.pipelines.verbs.verb import Verb
from beampose.trainer.quiet import import_tensorflow

EPILOG = (
    "Options after -- go to Apache Beam, such as -- --runner=DataflowRunner --region=us-central1"
)


# What a shell says of a program whose reader went away.
_ENDED_BY_READER = 141


def parser() -> argparse.ArgumentParser:
    """Parses all verbs and their arguments."""
    made = argparse.ArgumentParser(
        prog="beampose",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=_filled(
            "Label a few frames, embed them once, train a head in a minute, run it on every video "
            "you have."
        ),
        epilog=_verbs_in_groups(),
    )
    made.add_argument("--version", action="version", version=f"beampose {__version__}")
    made.add_argument("--debug", action="store_true", help="show tracebacks and library messages")
    subparsers = made.add_subparsers(
        dest="verb", required=True, metavar="VERB", help="see below; VERB --help shows its options"
    )
    for verb in verbs.VERBS.values():
        _add_arguments(verb, subparsers.add_parser(verb.name, description=_sentence(verb)))
    return made


def _add_arguments(verb: Verb, parser: argparse.ArgumentParser) -> None:
    if verb.actions:
        parser.add_argument("action", choices=verb.actions)
    if first := verb.positional:
        parser.add_argument(first.name, help=first.help, nargs=first.nargs)
    if verb.videos:
        parser.add_argument("videos", nargs="*", help=verb.videos)
    if verb.settings:
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="SECTION.KEY=VALUE",
            help="override a setting, such as --set train.steps=200",
        )
    if verb.cloud:
        parser.add_argument("--cloud", metavar="FILE", help="run on Google Cloud: cloud.yaml")
    for option in verb.options:
        option.add_to(parser)
    if verb.beam:
        parser.epilog = EPILOG


def _sentence(verb: Verb) -> str:
    return f"{verb.help[0].upper()}{verb.help[1:]}."


def _verbs_in_groups() -> str:
    width = max(map(len, verbs.VERBS)) + 4
    lines = []
    for group in verbs.GROUPS:
        lines += ["", f"{group.title}:"]
        lines += [
            _filled(verb.help, f"  {verb.name:<{width - 2}}", " " * width) for verb in group.verbs
        ]
    return "\n".join(lines[1:])


def _filled(text: str, first: str = "", later: str = "") -> str:
    width = min(shutil.get_terminal_size().columns - 2, 100)
    return textwrap.fill(text, width, initial_indent=first, subsequent_indent=later)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a verb and returns its exit code: 2 after a message about a mistake.

    As a command, its temporary files have a folder that is removed at its end.
    """
    with contextlib.ExitStack() as stack:
        if argv is None:
            with contextlib.suppress(OSError):
                stack.enter_context(leftovers.own_folder())
        try:
            code = _run(argv)
            sys.stdout.flush()
            return code
        except BrokenPipeError:
            # Whoever read what is printed has seen enough, such as `head`. Python would say so at
            # its end once more.
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return _ENDED_BY_READER


def _run(argv: Sequence[str] | None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    beam_words: list[str] = []
    if "--" in words:
        cut = words.index("--")
        words, beam_words = words[:cut], words[cut + 1 :]
    arguments = parser().parse_args(words)
    verb = verbs.VERBS[arguments.verb]
    if beam_words and not verb.beam:
        parser().error(f"{verb.name} runs no Beam job: it takes no options after --")
    _set_up_logging(arguments.debug)
    arguments.beam = beam_words
    arguments.progress = progress
    try:
        verb.settle(arguments)
        if verb.tensorflow and not arguments.debug:
            import_tensorflow()
        return verb.run(arguments)
    except KeyboardInterrupt:
        print("\nStopped. Run the same command again to continue.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        raise
    except ModuleNotFoundError as error:
        if arguments.debug:
            raise
        from beampose.pipelines import causes

        print(f"error: {causes.missing_package(verb.name, error)}", file=sys.stderr)
        return 2
    except Exception as error:
        if arguments.debug:
            raise
        print(f"error: {_cause(error)}", file=sys.stderr)
        return 2


def progress(items: Iterable, total: int, what: str) -> Iterable:
    """Shows a progress bar in a terminal, and nothing elsewhere."""
    if not sys.stderr.isatty():
        return items
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:
        return items
    return tqdm(items, total=total, desc=what, unit="")


def _cause(error: BaseException) -> str:
    """Returns the message of an error; of one that nobody foresaw also its type."""
    from beampose.pipelines import causes

    text = causes.sentence(error)
    if isinstance(error, (OSError, ValueError)):
        return text
    return f"{type(error).__name__}: {text.splitlines()[0]} (--debug shows the traceback)"


def _set_up_logging(debug: bool) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0" if debug else "3")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    # Plots go to files; a notebook's own backend stays as it is.
    os.environ.setdefault("MPLBACKEND", "Agg")
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.ERROR, format="%(message)s", stream=sys.stderr
    )
    if not debug:
        # tensorflow-transform speaks by way of absl, which has a level of its own.
        logging.getLogger("absl").setLevel(logging.ERROR)
    logging.getLogger("beampose").setLevel(logging.DEBUG if debug else logging.INFO)


if __name__ == "__main__":
    sys.exit(main())
