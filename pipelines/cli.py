"""Command line: `beampose VERB CONFIG`. A verb's code is imported when the verb runs."""

import argparse
import contextlib
import io
import logging
import os
import shutil
import sys
import textwrap
import warnings
from collections.abc import Iterable, Sequence
from typing import IO, Any, cast

from beampose.core import __version__, leftovers, texts
from beampose.core.notes import NotesOnce
from beampose.pipelines import verbs
from beampose.pipelines.verbs.verb import Verb
from beampose.trainer.quiet import import_tensorflow

EPILOG = (
    "Options after -- go to Apache Beam, such as -- --runner=DataflowRunner --region=us-central1"
)


# The exit code of a program whose reader went away, in a shell.
_ENDED_BY_READER = 141
_STOPPED = "Stopped. Run the same command again to continue."
_STOPPED_CLOUD = (
    "Stopped here. A job that was sent goes on, and is billed: `gcloud dataflow jobs list "
    "--status=active --region=REGION` shows it, `gcloud dataflow jobs cancel JOB_ID "
    "--region=REGION` ends it. Once it has ended, run the same command again to continue."
)


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
    # Not less than argparse takes.
    width = max(min(shutil.get_terminal_size().columns - 2, 100), 40)
    return textwrap.fill(text, width, initial_indent=first, subsequent_indent=later)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a verb and returns its exit code: 2 after a message about a mistake.

    As a command, its temporary files have a folder that is removed at its end.
    """
    with contextlib.ExitStack() as stack:
        if argv is None:
            _hold_streams()
            with contextlib.suppress(OSError):
                stack.enter_context(leftovers.own_folder())
        code = 0
        try:
            code = _run(argv)
            sys.stdout.flush()
            return code
        except OSError as error:  # Of `flush`; of all others `_run` tells.
            _print_nowhere()
            # Whoever read what is printed has seen enough, such as `head`.
            if isinstance(error, BrokenPipeError):
                return _ENDED_BY_READER
            with contextlib.suppress(OSError):
                if not code:
                    print(f"error: {_cause(error)}", file=sys.stderr)
            return 2


def _hold_streams() -> None:
    """Keeps the numbers of standard streams taken, and shows all letters that names may hold."""
    # Of a stream that a shell closed (`>&-`) the next file would get the number, and be printed to.
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    # Names of files may hold letters that a terminal's encoding has not, or none at all.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    usual = sys.stdout
    if isinstance(usual, io.TextIOWrapper) and usual is sys.__stdout__:
        raw = _Output(usual.fileno(), "w", closefd=False)
        sys.stdout = io.TextIOWrapper(
            cast(IO[bytes], raw) if usual.write_through else io.BufferedWriter(raw),
            encoding=usual.encoding,
            errors=usual.errors,
            line_buffering=usual.line_buffering,
            write_through=usual.write_through,
        )


class _Output(io.FileIO):
    """A standard output that is named where it cannot be written, as on a full disk."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise OSError(error.errno, error.strerror, "what is printed") from error


def _print_nowhere() -> None:
    """Python would say at its end once more that what is printed cannot be written."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(argv: Sequence[str] | None) -> int:
    verb, arguments = _asked(argv)
    _set_up_logging(arguments.debug)
    try:
        verb.settle(arguments)
        if verb.tensorflow and not arguments.debug:
            import_tensorflow()
        return verb.run(arguments)
    except KeyboardInterrupt:
        print(f"\n{_STOPPED_CLOUD if _sent(arguments) else _STOPPED}", file=sys.stderr)
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


def _sent(arguments: argparse.Namespace) -> bool:
    """Whether a job may go on elsewhere."""
    return bool(getattr(arguments, "cloud", None)) and not getattr(arguments, "dry_run", False)


def _asked(argv: Sequence[str] | None) -> tuple[Verb, argparse.Namespace]:
    """The verb and its arguments; a mistake ends the process, as argparse does."""
    words = list(map(_no_option, sys.argv[1:] if argv is None else argv))
    beam_words: list[str] = []
    if "--" in words:
        cut = words.index("--")
        words, beam_words = words[:cut], words[cut + 1 :]
    arguments = parser().parse_args(words)
    verb = verbs.VERBS[arguments.verb]
    if beam_words and not verb.beam:
        parser().error(f"{verb.name} runs no Beam job: it takes no options after --")
    arguments.beam = beam_words
    arguments.progress = progress
    return verb, arguments


def _no_option(word: str) -> str:
    """A film called `-x.mp4`, such as a shell makes of `*.mp4`, as a path that is no option."""
    is_file = word.startswith("-") and "." in word and os.path.isfile(word)
    return os.path.join(os.curdir, word) if is_file else word


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
    from beampose.core import disk
    from beampose.pipelines import causes

    text = "\n".join(map(texts.printable, causes.sentence(error).split("\n")))
    if isinstance(error, (OSError, ValueError)):
        return text
    if code := disk.of_disk(error):
        return f"{os.strerror(code)}: {causes.place_on_disk(error)}"
    return f"{type(error).__name__}: {text.splitlines()[0]} (--debug shows the traceback)"


def _set_up_logging(debug: bool) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0" if debug else "3")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    # Plots go to files; a notebook's own backend stays as it is.
    os.environ.setdefault("MPLBACKEND", "Agg")
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.ERROR, format="%(message)s", stream=sys.stderr
    )
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stderr:
            handler.filters = [NotesOnce()]
    if not debug:
        # Google's clients, which Beam imports, say so several times in every run on Python 3.10;
        # nothing here depends on their next release.
        old = r"You are using a (non-supported )?Python version .*Google"
        warnings.filterwarnings("ignore", old, FutureWarning)
        # tensorflow-transform speaks by way of absl, which has a level of its own.
        logging.getLogger("absl").setLevel(logging.ERROR)
        # Beam shows the traceback of what a step raises, and raises it.
        logging.getLogger("apache_beam.runners.common").setLevel(logging.CRITICAL)
    logging.getLogger("beampose").setLevel(logging.DEBUG if debug else logging.INFO)


if __name__ == "__main__":
    sys.exit(main())
