"""Pages made of names that are scripts, loaded in a browser: none runs, none becomes an element."""

import html.parser
import os
import re
import shutil
import subprocess
import tempfile

import fakes
import numpy as np
import pytest
from conftest import SETTINGS

from beampose.formats.detection_table import Detections
from beampose.pipelines import cli
from beampose.pipelines.curation import repeats_page, sorting_page

pytestmark = pytest.mark.slow
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
RAN = "it-ran"
NAMES = [
    f"<script>document.title='{RAN}'</script>",
    f"\"><img src=x onerror=document.title='{RAN}'>",
    f"javascript:document.title='{RAN}'",
    f"';document.title='{RAN}'//",
    f"</script><svg onload=document.title='{RAN}'>",
    f'" onmouseover="document.title=`{RAN}`" autofocus onfocus="document.title=`{RAN}`',
    "<!--<script>{{7*7}}${7*7}\u2028&lt;b&gt;",
]
THUMB = fakes.encode(fakes.pixels(0, 8, 8), "JPEG")


class Elements(html.parser.HTMLParser):
    """Collects elements with their attributes, and the title."""

    def __init__(self, text):
        super().__init__()
        self.found, self.title, self._inside = [], "", False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self._inside = tag == "title"

    def handle_endtag(self, tag):
        self._inside = False

    def handle_data(self, data):
        self.title += data if self._inside else ""


def loaded(file):
    """The elements of a page once its own scripts have run; without a browser, as written."""
    if BROWSER is None:
        return Elements(file.read_text(encoding="utf-8"))
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000"]
    # Its sockets lie in these folders, and may not have long paths.
    short = os.path.abspath(os.sep + "tmp")
    with tempfile.TemporaryDirectory(dir=short) as profile:
        done = subprocess.run(
            [BROWSER, *words, f"--user-data-dir={profile}", "--dump-dom", file.as_uri()],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=300,
            env={**os.environ, "TMPDIR": short},
        )
    assert "<html" in done.stdout
    return Elements(done.stdout)


def check(file, scripts):
    page = loaded(file)
    assert page.title != RAN
    assert sum(tag == "script" for tag, _ in page.found) <= scripts
    for tag, attributes in page.found:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        assert attributes.get("src") != "x"
        for name in ("href", "src", "action"):
            assert not (attributes.get(name) or "").strip().lower().startswith("javascript")
    return page


def scripts_of(name):
    """How many script elements a template has itself."""
    from importlib import resources

    template = resources.files("beampose.pipelines.report") / "templates" / name
    return len(re.findall(r"<script", template.read_text(encoding="utf-8")))


@pytest.mark.skipif(BROWSER is None, reason="needs chromium")
def test_a_script_that_does_run_would_be_seen(tmp_path):
    (tmp_path / "a.html").write_text(f"<html><title>a</title><body>{NAMES[1]}", encoding="utf-8")
    assert loaded(tmp_path / "a.html").title == RAN


def test_names_of_crops_are_letters_on_the_page_that_sorts_them(tmp_path):
    features = np.eye(len(NAMES), dtype=np.float32)
    (file,) = sorting_page.write(str(tmp_path), NAMES, features, [THUMB] * len(NAMES))
    check(tmp_path / file.name, scripts_of("sorting.html"))


def test_names_of_videos_and_classes_are_letters_on_the_page_of_repeats(tmp_path):
    count = 12
    found = Detections(
        (NAMES[0], NAMES[4]),
        np.arange(count),
        np.zeros(count, np.int32),
        np.full((count, 4), 20, np.int32),
        np.ones(count, np.float32),
        np.full((count, 2), 0.5, np.float32),
        np.empty((count, 0), np.float32),
        np.ones((count, 4), np.float32) / 2,
        np.zeros(count, bool),
    )
    tables = {name: found for name in NAMES}
    made = [g for n in NAMES for g in repeats_page.groups(n, found, np.ones(count, bool), 3)]
    assert len(made) == len(NAMES)
    pictures = {(g.video, row): THUMB for g in made for row in repeats_page.samples(g)}
    repeats_page.write(
        str(tmp_path / "repeats.html"),
        tables,
        made,
        times={name: lambda frame, own=name: f"{own} {frame}" for name in NAMES},
        pictures=pictures,
    )
    check(tmp_path / "repeats.html", scripts_of("repeats.html"))


def test_names_of_bodyparts_scorers_and_folders_are_letters_in_reports(tmp_path):
    parts = [name for name in NAMES if "," not in name and '"' not in name]
    video = "<img src=x onerror=alert(1)>"
    project = fakes.project(
        tmp_path / "project", video=video, rows=9, config={"bodyparts": parts, "Task": NAMES[0]}
    )
    points = np.random.default_rng(0).uniform(4, 36, (9, len(parts), 2))
    names = [f"labeled-data/{video}/img{i}.png" for i in range(9)]
    text = fakes.csv_text(names, points, bodyparts=parts)
    (project / "labeled-data" / video / f"CollectedData_{fakes.SCORER}.csv").write_text(
        text, encoding="utf-8"
    )
    settings = SETTINGS.replace("steps: 30", "steps: 4").replace("batch_size: 4,", "batch_size: 2,")
    (tmp_path / "a.yaml").write_text(settings)
    config = str(tmp_path / "a.yaml")
    assert cli.main(["check", config, "--html", str(tmp_path / "labels.html")]) in (0, 1)
    check(tmp_path / "labels.html", scripts_of("labels.html"))
    for verb in ("features", "train", "evaluate", "report"):
        assert cli.main([verb, config]) == 0
    assert cli.main(["audit", config, "--folds", "2"]) == 0
    page = check(tmp_path / "out/report.html", scripts_of("report.html"))
    assert page.found
    check(tmp_path / "out/audit/audit.html", scripts_of("audit.html"))
