"""How Sphinx makes a site of these pages: `python -m sphinx -W docs site`."""

import re

from docutils import nodes

from beampose.core import __version__

project = "beampose"
author = "the beampose authors"
copyright = "2026, the beampose authors"
release = version = __version__

extensions = [
    # Reads Markdown as myst_parser does, and notebooks.
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
html_theme = "furo"
html_title = "beampose"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sourcelink = False

myst_heading_anchors = 3
# Notebooks are shown with the outputs that they hold.
nb_execution_mode = "off"
# `--folds` is an option, not a dash.
smartquotes = False
autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "inherited-members": False}


def _untested(app, page: str, source: list[str]) -> None:
    """A mark for the tests of the pages' code is none of a highlighter's languages."""
    source[0] = re.sub(r"^```(\w+) no-test$", r"```\1", source[0], flags=re.MULTILINE)


def _long_words(app, doctree) -> None:
    """A mark for the style sheet on code that is too long to stay whole in a table."""
    for literal in doctree.findall(nodes.literal):
        if max(map(len, literal.astext().split()), default=0) > 24:
            literal["classes"].append("long")


def setup(app) -> None:
    app.connect("source-read", _untested)
    app.connect("doctree-read", _long_words)
