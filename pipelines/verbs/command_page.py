"""The page of the docs that lists all verbs, in Markdown."""

from beampose.pipelines import verbs
from beampose.pipelines.verbs.verb import Option, Verb

HEAD = """# Commands

`scripts/command_reference` writes this page from the declarations of the verbs; `beampose VERB
--help` says the same. `--debug` before the verb shows tracebacks and libraries' own messages. Every
command may be killed and repeated. Exit code 0: all is done; 1: something is wrong with the data,
and said: a label, an image or a film that could not be used, the others were; 2: the command itself
is wrong, or what it needs is missing, such as labels, a model or room on the disk. `features` goes
on with 0 up to `source.max_rejects`.
"""
SET = Option("--set", "override a setting, such as `--set train.steps=200`", "SECTION.KEY=VALUE")
CLOUD = Option("--cloud", "run on Google Cloud: cloud.yaml", "FILE")
BEAM = "Options after `--` go to Apache Beam; without them everything runs in one process."


def page() -> str:
    """All verbs in their groups."""
    parts = [HEAD]
    for group in verbs.GROUPS:
        parts += [f"## {group.title}\n", *map(_verb, group.verbs)]
    return "\n".join(parts)


def _verb(verb: Verb) -> str:
    lines = [f"### `beampose {_usage(verb)}`\n", f"{verb.help[0].upper()}{verb.help[1:]}.\n"]
    about = [(one.name.upper(), one.help) for one in (verb.positional,) if one]
    about += [("VIDEO…", verb.videos)] if verb.videos else []
    options = [*verb.options]
    options += [SET] if verb.settings else []
    options += [CLOUD] if verb.cloud else []
    about += [(_flag(one), _help(one)) for one in options]
    if about:
        lines += ["| | |", "|---|---|"]
        lines += [f"| `{_cell(name)}` | {_cell(text)} |" for name, text in about]
        lines += [""]
    if verb.beam:
        lines += [f"{BEAM}\n"]
    return "\n".join(lines)


def _usage(verb: Verb) -> str:
    words = [verb.name]
    if verb.actions:
        words.append("|".join(verb.actions))
    if one := verb.positional:
        name = one.name.upper()
        words.append({None: name, "+": f"{name}…", "*": f"[{name}…]", "?": f"[{name}]"}[one.nargs])
    if verb.videos:
        words.append("[VIDEO…]")
    if verb.beam:
        words.append("[-- BEAM OPTIONS]")
    return " ".join(words)


def _flag(option: Option) -> str:
    if option.switch:
        return option.flag
    value = "|".join(option.choices) if option.choices else option.metavar
    value = value or option.flag.removeprefix("--").upper()
    return f"{option.flag} [{value}]" if option.nargs == "?" else f"{option.flag} {value}"


def _help(option: Option) -> str:
    notes = ["must be given"] if option.required else []
    return "; ".join((option.help, *notes, *option.limits("`")))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
