"""Verbs of the command line: `catalogue` lists the groups that declare them; modules run them."""

from beampose.pipelines.verbs.catalogue import GROUPS

VERBS = {verb.name: verb for group in GROUPS for verb in group.verbs}
