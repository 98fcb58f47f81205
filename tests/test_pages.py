"""The pages of the docs: links lead somewhere, generated ones are up to date, the site is built."""

import re
import runpy
import shlex
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest
import yaml

from beampose.core import __version__, yaml_files
from beampose.core.settings import experiment
from beampose.pipelines import cli, verbs

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page):
    code = r"^```.*?^```|`[^`]*`"
    text = re.sub(code, "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in target and not target.startswith("#"):
            assert (page.parent / target.partition("#")[0]).is_file(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_and_tests_that_a_page_names_are_there(page):
    text = page.read_text(encoding="utf-8")
    tops = "beampose|configs|pipelines|preprocess|scripts|tests|trainer"
    for name in re.findall(rf"`((?:{tops})/[\w./*-]+)`", text):
        assert [*ROOT.glob(name)], name
    # Keys of settings and of metrics.json begin so, too.
    for name in {*re.findall(r"`(test_\w+)`", text)} - {"test_from", "test_before_finetune"}:
        assert [*ROOT.glob(f"tests/**/{name}.py")], name


def blocks(page, *languages):
    found = re.findall(r"^```([^\n]*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.S | re.M)
    return [text for language, text in found if language in languages]


def test_the_commands_of_all_pages_are_understood():
    text = "".join(block for page in PAGES for block in blocks(page, "bash", "sh", ""))
    found = re.findall(r"^(?:\$ )?beampose (.*)$", text.replace("\\\n", " "), re.MULTILINE)
    assert len(found) > 50
    parser = cli.parser()
    for line in found:
        # What stands in brackets may be left out.
        words = shlex.split(re.sub(r" \[.*?\]", "", line), comments=True)
        assert parser.parse_args(words).verb in verbs.VERBS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_settings_of_a_page_load(page, tmp_path):
    for text in blocks(page, "yaml"):
        # Lines may be alternatives of one key.
        keys = re.findall(r"^\w+", text, re.MULTILINE)
        for part in [text] if len(keys) == len({*keys}) else text.splitlines():
            values = yaml.safe_load(part)
            if "project" not in values:
                needed = {
                    "task": "pose",
                    "source": {"format": "deeplabcut", "path": "x"},
                    "output": "o",
                }
                (tmp_path / "a.yaml").write_text(yaml.safe_dump({**needed, **values}))
                experiment.load(tmp_path / "a.yaml")


def test_the_page_of_all_commands_is_up_to_date():
    text = runpy.run_path(str(ROOT / "scripts/command_reference"))["text"]()
    page = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    assert page == text, "Run scripts/command_reference."


def test_the_changelog_and_the_citation_know_this_version():
    assert f"\n## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert yaml_files.read(ROOT / "CITATION.cff", "citation")["version"] == __version__


@pytest.mark.skipif(util.find_spec("sphinx") is None, reason="needs pip install 'beampose[docs]'")
def test_the_site_is_built_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "docs", tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "load_labels" in (tmp_path / "api.html").read_text(encoding="utf-8")
