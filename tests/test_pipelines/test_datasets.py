"""Public sets: fetched once, checked, gone on with; from a server of the test."""

import functools
import hashlib
import http.server
import threading

import pytest

from beampose.pipelines.cli import main
from beampose.pipelines.datasets import fetching, public_sets
from beampose.pipelines.datasets.public_sets import PublicSet, Published

CONTENT = {"config.yaml": b"Task: x\n", "labeled-data/a b/img#1.png": b"pixels" * 50}


class MadeSet(PublicSet):
    def files(self):
        digests = {path: hashlib.sha256(data).hexdigest() for path, data in CONTENT.items()}
        return [Published(p, f"up/{p}", len(d), digests[p]) for p, d in CONTENT.items()]


SET = MadeSet("made", "a made-up set", "MIT", "nobody/nothing", "abc")


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Folder that a server on this machine shows as the mirror; it counts what it is asked."""
    folder = tmp_path / "mirror"
    for path, data in CONTENT.items():
        (folder / "made" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "made" / path).write_bytes(data)
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *words):
            asked.append(self.path)

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        monkeypatch.setenv(fetching.MIRROR, f"http://127.0.0.1:{serving.server_port}/")
        monkeypatch.setattr(fetching, "TRIES", 1)
        yield folder / "made", asked
        serving.shutdown()


def test_a_set_is_fetched_once_and_what_was_damaged_again(server, tmp_path):
    _, asked = server
    first = fetching.fetch(SET, tmp_path / "x")
    assert first == fetching.Fetched(2, 0, [])
    assert (tmp_path / "x/labeled-data/a b/img#1.png").read_bytes() == b"pixels" * 50
    asked.clear()
    assert fetching.fetch(SET, tmp_path / "x") == fetching.Fetched(0, 2, [])
    assert not asked
    (tmp_path / "x/config.yaml").write_bytes(b"Task: y\n")
    assert fetching.fetch(SET, tmp_path / "x") == fetching.Fetched(1, 1, [])
    assert (tmp_path / "x/config.yaml").read_bytes() == b"Task: x\n"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda file: file.unlink(), "404"),
        (lambda file: file.write_bytes(b"other!!\n"), "digest differs"),
        (lambda file: file.write_bytes(b"longer than it should be"), "digest differs"),
        (lambda file: file.write_bytes(b"short"), "ended after 5 of 8 bytes"),
    ],
)
def test_what_is_not_the_file_is_a_failure_and_the_others_come(server, tmp_path, change, reason):
    folder, _ = server
    change(folder / "config.yaml")
    done = fetching.fetch(SET, tmp_path / "x")
    ((path, why),) = done.failures
    assert path == "config.yaml" and reason in why
    assert done.fetched == 1 and not (tmp_path / "x/config.yaml").exists()


def test_without_a_network_the_way_round_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv(fetching.MIRROR, "http://127.0.0.1:9")
    monkeypatch.setattr(fetching, "TRIES", 1)
    done = fetching.fetch(SET, tmp_path / "x")
    assert len(done.failures) == 2 and fetching.MIRROR in done.failures[0][1]
    monkeypatch.setenv(fetching.MIRROR, "file:///etc")
    assert "https://" in fetching.fetch(SET, tmp_path / "x").failures[0][1]


def test_every_shipped_set_is_described_and_names_safe_paths(capsys):
    assert main(["datasets", "list"]) == 0
    shown = capsys.readouterr().out
    for one in public_sets.all_sets().values():
        assert f"{one.name}: " in shown and one.page.startswith("https://github.com/")
        assert bool(one.files()) or one.note
        for file in one.files():
            assert ".." not in file.path and not file.path.startswith("/")
            assert len(file.sha256) == 64 and file.bytes > 0
            assert one.url(file).startswith("https://raw.githubusercontent.com/")


def test_unknown_and_linked_sets_say_what_to_do(tmp_path, capsys):
    assert main(["datasets", "get", "opnfield", "--to", str(tmp_path)]) == 2
    assert "Did you mean 'openfield'?" in capsys.readouterr().err
    assert main(["datasets", "get", "flies", "--to", str(tmp_path)]) == 2
    assert "clip.slp" in capsys.readouterr().err
    assert main(["datasets", "get", "--to", str(tmp_path)]) == 2
    assert main(["datasets", "list", "flies"]) == 2
    assert not [*tmp_path.iterdir()]


def test_the_files_of_a_set_are_those_it_was_measured_on(shared_data):
    for file in public_sets.all_sets()["openfield"].files():
        place = shared_data / "openfield-Pranav-2018-10-30" / file.path
        assert fetching._is(place, file), file.path
