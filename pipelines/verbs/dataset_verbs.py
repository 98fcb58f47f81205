"""Verbs on public sets."""

import argparse
import difflib
from pathlib import Path

from beampose.core.wording import counted
from beampose.pipelines.datasets import fetching, public_sets
from beampose.pipelines.verbs.printed import report_failures


def datasets(arguments: argparse.Namespace) -> int:
    """Lists public sets, or fetches some. 1 if a file could not be had."""
    known = public_sets.all_sets()
    if arguments.action == "list":
        if arguments.names:
            raise ValueError("datasets list takes no names: it lists all.")
        for one in known.values():
            print("\n".join(public_sets.described(one)))
        return 0
    if not arguments.names:
        raise ValueError(f"datasets get needs a name: {', '.join(known)}.")
    for name in arguments.names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"There is no set {name!r}.{hint} There are: {', '.join(known)}.")
    code = 0
    for one in (known[name] for name in arguments.names):
        folder = Path(arguments.to) / one.name
        done = fetching.fetch(one, folder)
        code = max(code, report_failures(done.failures))
        print(
            f"{one.name}: {counted(done.fetched, 'file')} fetched, {done.kept} there already. "
            f"{folder}"
        )
        print(f"  {one.licence}, {one.page}")
    return code
