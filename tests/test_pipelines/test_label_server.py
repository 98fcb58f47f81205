"""The labeling page's server: what it answers, and whom it refuses."""

import asyncio
import socket
import threading

import fakes
import httpx
import numpy as np
import pytest
import uvicorn

from beampose.formats.deeplabcut import project_labels
from beampose.formats.deeplabcut.label_table import LabelTable, Point
from beampose.pipelines import cli
from beampose.pipelines.label import (
    address_book,
    gate,
    label_session,
    listening,
    more_frames,
    new_project,
    pens,
    server,
    shown_frames,
)
from beampose.pipelines.label import desk as desk_module
from beampose.pipelines.label.desk import Desk
from beampose.pipelines.label.label_session import Change, LabelSession
from beampose.pipelines.label.learner import NoLearner
from beampose.pipelines.label.shown_frames import Part
from beampose.preprocess import images

TOKEN = "a-token-nobody-guesses"
FRAME = "cam1/img0.png"


@pytest.fixture
def root(tmp_path):
    return fakes.project(tmp_path / "project")


@pytest.fixture
def client(root):
    yield from serve(root)


def serve(root):
    desk = Desk(LabelSession(str(root)), NoLearner("none"))
    app = server.application(desk, TOKEN, gate.allowed_hosts("127.0.0.1"))
    yield Client(app)
    desk.close()


class Client:
    """Asks the application without a socket."""

    def __init__(self, app):
        self._app = app

    def request(self, method, path, **options):
        async def ask():
            way = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=way, base_url="http://127.0.0.1:8000") as one:
                return await one.request(method, path, **options)

        return asyncio.run(ask())

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, **options):
        return self.request("POST", path, **options)


def post(client, name, page="one", **said):
    return client.post(f"/{TOKEN}/api/{name}", json={"page": page, **said})


def change(client, page="one", frame=FRAME, point=(0, 0), xy=(5.5, 6.5), **said):
    one = {"frame": frame, "point": list(point), "xy": xy and list(xy), **said}
    return post(client, "changes", page, changes=[one])


def test_the_page_and_all_its_files_are_behind_the_token(client):
    page = client.get(f"/{TOKEN}/")
    assert page.status_code == 200 and "<canvas" in page.text
    assert client.get(f"/{TOKEN}").headers["location"] == f"/{TOKEN}/"
    for name in ("main.js", "style.css", "icon.svg", "api/project"):
        assert client.get(f"/{TOKEN}/{name}").status_code == 200
        assert client.get(f"/{name}").status_code == 403
        assert client.get(f"/wrong/{name}").status_code == 403
    assert "connect-src" not in page.headers["content-security-policy"]
    assert "'self'" in page.headers["content-security-policy"]


def test_nothing_of_the_page_is_loaded_from_elsewhere():
    for name, data in server._page().items():
        text = data.decode()
        for mark in ("https://", "http://", "//cdn"):
            found = [line for line in text.splitlines() if mark in line]
            assert all("www.w3.org" in line for line in found), (name, found)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"host": "evil.example:8000"}, 421),
        ({"host": "127.0.0.1.evil.example"}, 421),
        ({"host": ""}, 421),
        ({"host": "[::1"}, 421),
        ({"host": "localhost@evil.example"}, 421),
        ({"origin": "http://[127.0.0.1:8000"}, 403),
        ({"host": "localhost:8000"}, 200),
        ({"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-origin"}, 200),
    ],
)
def test_other_sites_may_not_ask_even_with_the_token(client, headers, status):
    assert client.get(f"/{TOKEN}/api/project", headers=headers).status_code == status


def test_a_form_of_another_site_changes_nothing(client, root):
    before = project_labels.read(str(root)).keypoints
    answer = client.post(f"/{TOKEN}/api/changes", data={"page": "one", "changes": "[]"})
    assert answer.status_code == 415
    np.testing.assert_array_equal(project_labels.read(str(root)).keypoints, before)


@pytest.mark.parametrize(
    "key",
    [
        "../config.yaml",
        "cam1/../../config.yaml",
        "/etc/passwd",
        "cam1/CollectedData_Ann.csv",
        "cam1\\img0.png",
        "cam1/img0.png\x00",
        "cam1//img0.png",
        "%2e%2e/config.yaml",
        "",
    ],
)
def test_no_name_reaches_what_is_not_in_the_list(client, key):
    for name in ("frame", "thumbnail"):
        assert client.get(f"/{TOKEN}/{name}", params={"key": key}).status_code == 404
    assert client.get(f"/{TOKEN}/film", params={"folder": key, "number": 0}).status_code == 404
    assert client.get(f"/{TOKEN}/api/film", params={"folder": key}).status_code == 404
    assert change(client, frame=key).status_code == 404
    assert post(client, "more", count=1, folder=key, number=0).status_code == 404


@pytest.mark.parametrize(
    "path", ["../server.py", "..%2fserver.py", "page/../../server.py", "%2e%2e/desk.py", "//etc/x"]
)
def test_no_path_reaches_files_beside_the_page(client, path):
    assert client.get(f"/{TOKEN}/{path}").status_code in (403, 404)


@pytest.mark.parametrize(
    "said",
    [
        {"point": [0]},
        {"point": [0, 99]},
        {"point": [-1, 0]},
        {"point": [0, "nose"]},
        {"point": [True, 0]},
        {"xy": ["a", "b"]},
        {"xy": [1]},
        {"frame": 5},
    ],
)
def test_what_is_no_change_is_refused_with_a_sentence(client, root, said):
    one = {"frame": FRAME, "point": [0, 0], "xy": [1, 1], **said}
    answer = post(client, "changes", changes=[one])
    assert answer.status_code == 400
    assert answer.json()["error"].endswith(".")


def test_long_and_odd_bodies_are_refused(client):
    address = f"/{TOKEN}/api/changes"
    kind = {"content-type": "application/json"}
    assert client.post(address, content=b" " * (gate.LONGEST + 1)).status_code == 413
    assert client.post(address, content=b"{", headers=kind).status_code == 400
    assert client.post(address, content=b"[]", headers=kind).status_code == 400
    assert post(client, "changes").status_code == 404
    deep = b'{"page": "one", "changes": ' + b"[" * 200_000
    assert client.post(address, content=deep, headers=kind).status_code == 400
    far = b'{"page": "one", "changes": [{"frame": "cam1/img0.png", "point": [1e999, 0]}]}'
    assert client.post(address, content=far, headers=kind).status_code == 400
    for body in (b'{"page": "one", "film": "x", "row": 1e999}', b'{"page": "one", "count": 1e999}'):
        for name in ("label", "more"):
            answer = client.post(f"/{TOKEN}/api/{name}", content=body, headers=kind)
            assert answer.status_code in (400, 404) and answer.json()["error"]


def test_a_label_is_on_disk_when_the_answer_comes(client, root):
    assert change(client, xy=(12.25, 3.5)).status_code == 200
    found = {item.name: item.keypoints for item in project_labels.read(str(root)).items}
    assert found[f"labeled-data/{FRAME}"][0, 0].tolist() == [12.25, 3.5]
    shown = client.get(f"/{TOKEN}/api/project").json()
    (frame,) = (one for one in shown["frames"] if one["key"] == FRAME)
    assert frame["points"][0][0] == [12.25, 3.5]


def test_a_point_named_by_its_names_finds_them_after_the_config_was_reordered(tmp_path):
    root = fakes.project(tmp_path / "project", config={"bodyparts": ["tail", "ear", "nose"]})
    for client in serve(root):
        names = client.get(f"/{TOKEN}/api/project").json()["individuals"]
        assert change(client, point=(names[0], "tail"), xy=(3, 4)).status_code == 200
        shown = client.get(f"/{TOKEN}/api/project").json()["frames"][0]
        assert shown["points"][0][0] == [3, 4]
        refused = change(client, point=(names[0], "snout"))
        assert refused.status_code == 400
        assert refused.json()["error"] == "config.yaml names no snout any more."


def test_a_page_of_other_names_or_older_labels_is_told_from_one_that_knows_them(client, tmp_path):
    project = client.get(f"/{TOKEN}/api/project").json()
    code, written = project["code"], project["written"]
    assert post(client, "state").json()["code"] == code
    one = {"frame": FRAME, "point": [0, 0], "xy": [5, 6]}
    answer = post(client, "changes", changes=[one], of=code).json()
    assert answer["written"] == written + 1 == post(client, "state").json()["written"]
    # As after a restart that the page slept through.
    root = fakes.project(tmp_path / "other", config={"bodyparts": ["tail", "ear", "nose"]})
    for other in serve(root):
        assert post(other, "state").json()["code"] != code
        refused = post(other, "changes", changes=[one], of=code)
        assert refused.status_code == 409 and "Load it again." in refused.json()["error"]
        assert post(other, "state").json()["written"] == 0


def test_labels_of_another_program_come_to_the_page_without_a_change_here(root, monkeypatch):
    monkeypatch.setattr(label_session, "QUIET", 0.0)
    monkeypatch.setattr(desk_module, "LOOK", 0.0)
    told = []
    monkeypatch.setattr(NoLearner, "know", lambda self, paths, labeled: told.append(labeled))
    for client in serve(root):
        names = client.get(f"/{TOKEN}/api/project").json()
        other = LabelTable(str(fakes.label_folder(root)), project_labels.names(str(root))[0])
        # Both a page that asks and one that is loaded again see it.
        for x, name in ((2, "state"), (3, "project")):
            before = len(told)
            other.put(FRAME.split("/")[1], Point(0, 0), (x, 3), absent=False)
            other.save()
            if name == "state":
                said = post(client, "state").json()
                assert said["taken_up"] == names["taken_up"] + 1
                assert "another program" in said["notes"][-1]
            (frame,) = (
                one
                for one in client.get(f"/{TOKEN}/api/project").json()["frames"]
                if one["key"] == FRAME
            )
            assert frame["points"][0][0] == [x, 3]
            assert len(told) == before + 1 and told[-1][FRAME][0][0, 0].tolist() == [x, 3]


def test_whoever_takes_the_lock_over_knows_the_last_labels_at_once(root):
    first = LabelSession(str(root))
    for client in serve(root):
        assert not post(client, "state").json()["writing"]
        first.change([Change(FRAME, Point(0, 0), (4, 5))])
        first.close()
        said = post(client, "state").json()
        assert said["writing"] and said["written"] == 1 and not said["notes"]


def test_of_two_pages_the_second_looks_on_until_it_takes_the_pen(client):
    assert post(client, "state").json()["writing"]
    second = post(client, "state", "two").json()
    assert not second["writing"] and "another page" in second["why"]
    refused = change(client, "two")
    assert refused.status_code == 409 and "another page" in refused.json()["error"]
    assert post(client, "state", "two", take=True).json()["writing"]
    assert change(client, "two").status_code == 200
    assert change(client, "one").status_code == 409
    post(client, "leave", "two")
    assert change(client, "one").status_code == 200


def test_a_page_that_fell_silent_has_lost_the_pen():
    now = [0.0]
    pen = pens.Pen(lambda: now[0])
    assert pen.ask("one") and not pen.ask("two")
    now[0] = pens.SILENT - 1
    assert pen.ask("one") and not pen.ask("two")
    now[0] += pens.SILENT + 1
    assert pen.ask("two") and not pen.ask("one")


def test_pictures_are_no_larger_than_the_screen(client, root):
    (root / "labeled-data/cam1/img0.png").write_bytes(fakes.encode(fakes.pixels(0, 300, 500)))
    ask = {"key": FRAME, "width": 100, "height": 100}
    answer = client.get(f"/{TOKEN}/frame", params=ask)
    assert images.decode(answer.content).shape == (60, 100, 3)
    assert (answer.headers["x-width"], answer.headers["x-height"]) == ("500", "300")
    part = {"x": 450, "y": 250, "columns": 80, "rows": 40}
    found = images.decode(client.get(f"/{TOKEN}/frame", params={**ask, **part}).content)
    assert found.shape == (40, 50, 3)


def test_a_part_of_a_picture_is_that_part():
    pixels = np.zeros((90, 160, 3), np.uint8)
    pixels[40:60, 100:140] = 255
    whole = images.decode(shown_frames.jpeg(pixels, Part(1000, 1000)))
    assert np.abs(whole.astype(int) - pixels).max() < 40
    cut = images.decode(shown_frames.jpeg(pixels, Part(1000, 1000, 100, 40, 40, 20)))
    assert cut.shape == (20, 40, 3) and cut.min() > 240


def test_the_command_for_a_film_can_be_pasted_whatever_the_film_is_called(tmp_path):
    film = tmp_path / "my film (1).mp4"
    film.write_bytes(b"")
    with pytest.raises(ValueError, match="Name what is to be labeled: `beampose label '.*' --b"):
        new_project.make([str(film)], str(tmp_path / "project"), [])


def test_an_image_that_cannot_be_read_is_told(client, root):
    (root / "labeled-data/cam1/img1.png").write_bytes(b"no image")
    answer = client.get(f"/{TOKEN}/frame", params={"key": "cam1/img1.png"})
    assert answer.status_code == 400 and "image" in answer.json()["error"]


@pytest.fixture
def from_film(tmp_path):
    film = fakes.video(tmp_path / "film.mp4", "libx264", 40)
    root = tmp_path / "project"
    new_project.make([film], str(root), ["nose", "tail"], scorer="me", count=4)
    yield from serve(root)


def test_a_film_becomes_a_project_with_an_experiment_of_five_lines(from_film, tmp_path):
    project = from_film.get(f"/{TOKEN}/api/project").json()
    assert project["bodyparts"] == ["nose", "tail"] and project["scorer"] == "me"
    assert len(project["frames"]) == 4
    text = (tmp_path / "project" / new_project.EXPERIMENT).read_text()
    assert len(text.splitlines()) == 5
    assert cli.main(["check", str(tmp_path / "project" / new_project.EXPERIMENT)]) == 1
    for frame in project["frames"]:
        assert change(from_film, frame=frame["key"]).status_code == 200
    assert cli.main(["check", str(tmp_path / "project" / new_project.EXPERIMENT)]) == 0


def test_a_film_of_several_animals_becomes_a_project_of_them(tmp_path):
    film = fakes.video(tmp_path / "film.mp4", "libx264", 40)
    make = {"individuals": ["ann", "bob"], "scorer": "me", "count": 3}
    root = str(tmp_path / "project")
    new_project.make([film], root, ["nose", "tail"], **make)
    session = LabelSession(root)
    assert session.names.individuals == ("ann", "bob") and session.names.several
    session.close()
    new_project.make([film], root, ["nose", "tail"], **make)
    with pytest.raises(ValueError, match="ann,bob"):
        new_project.make([film], root, ["nose", "tail"], **{**make, "individuals": ["eve"]})


def test_frames_of_the_film_are_shown_and_become_frames_to_label(from_film, tmp_path):
    frames = from_film.get(f"/{TOKEN}/api/project").json()["frames"]
    film = from_film.get(f"/{TOKEN}/api/film", params={"folder": "film"}).json()
    assert film["count"] == 40 and film["had"] == sorted(one["number"] for one in frames)
    number = next(i for i in range(40) if i not in film["had"])
    ask = {"folder": "film", "number": number}
    shown = images.decode(from_film.get(f"/{TOKEN}/film", params=ask).content)
    assert fakes.number(shown) == number
    assert from_film.get(f"/{TOKEN}/film", params={**ask, "number": 40}).status_code == 400
    (added,) = post(from_film, "more", **ask).json()["added"]
    assert fakes.number(
        images.decode((tmp_path / "project/labeled-data" / added).read_bytes())
    ) == (number)
    added = post(from_film, "more", count=5).json()["added"]
    assert len(added) == 5
    assert len(from_film.get(f"/{TOKEN}/api/project").json()["frames"]) == 10


def test_a_film_whose_frames_are_others_is_not_shown_beside_them(tmp_path):
    film, root = tmp_path / "film.mp4", tmp_path / "project"
    new_project.make([fakes.video(film, "libx264", 40)], str(root), ["nose"], count=4)
    session = LabelSession(str(root))
    assert shown_frames.ShownFrames(session).film("film").video is not None
    for file in (root / "labeled-data/film").glob("*.png"):
        file.write_bytes(fakes.encode(255 - images.decode(file.read_bytes())))
    found = shown_frames.ShownFrames(session).film("film")
    assert found.video is None and "not the frames" in found.why
    film.unlink()
    assert "not there" in shown_frames.ShownFrames(session).film("film").why
    session.close()


@pytest.mark.parametrize("into", ["another", "shorter", "smaller", "nothing"])
def test_no_frame_of_another_film_gets_into_a_folder(from_film, tmp_path, into):
    film, folder = tmp_path / "film.mp4", tmp_path / "project/labeled-data/film"
    post(from_film, "more", count=2)
    first = {"folder": "film", "number": 20}
    assert from_film.get(f"/{TOKEN}/film", params=first).status_code == 200
    before, had = from_film.get(f"/{TOKEN}/api/project").json()["pictures"], {*folder.iterdir()}
    kept = film.rename(tmp_path / "kept.mp4")
    if into != "nothing":
        size = (32, 48) if into == "smaller" else (fakes.VIDEO_HEIGHT, fakes.VIDEO_WIDTH)
        count = 10 if into == "shorter" else 40
        # The same pictures, of another file: only its content tells.
        fakes.video(film, "libx264", count, size=size, gop=5)
    for said in ({"count": 5}, {"folder": "film", "number": 20}):
        answer = post(from_film, "more", **said)
        assert answer.status_code == 400
        assert ("not there" if into == "nothing" else "another film") in answer.json()["error"]
    assert from_film.get(f"/{TOKEN}/film", params=first).status_code == 400
    assert {*folder.iterdir()} == had
    assert from_film.get(f"/{TOKEN}/api/project").json()["pictures"] != before
    kept.replace(film)
    assert len(post(from_film, "more", count=5).json()["added"]) == 5


def test_a_film_is_known_by_the_frames_that_were_added_of_it(tmp_path):
    """Where nothing said so before, as in a project of DeepLabCut."""
    film, root = tmp_path / "film.mp4", tmp_path / "project"
    new_project.make([fakes.video(film, "libx264", 40)], str(root), ["nose"], count=4)
    told = root / "labeled-data/film/film.json"
    told.unlink()
    session = LabelSession(str(root))
    more_frames.write(session, shown_frames.ShownFrames(session), {"film": [1]})
    assert told.is_file()
    fakes.video(film, "libx264", 40, gop=5)
    found = shown_frames.ShownFrames(session).film("film")
    assert found.video is None and "another film" in found.why
    session.close()


@pytest.mark.parametrize(
    ("left", "count", "shares"),
    [
        ({"a": 3, "b": 100}, 20, {"a": 3, "b": 17}),
        ({"a": 100, "b": 100, "c": 100}, 20, {"a": 6, "b": 7, "c": 7}),
        ({"a": 0, "b": 2}, 20, {"a": 0, "b": 2}),
    ],
)
def test_what_a_short_film_lacks_others_give(left, count, shares):
    assert more_frames.shares(left, count) == shares


def test_films_that_no_frames_are_taken_of_are_told(tmp_path):
    films = [fakes.video(tmp_path / f"{name}.mp4", "libx264", 12) for name in "ab"]
    root = tmp_path / "project"
    new_project.make(films, str(root), ["nose"], count=4)
    (tmp_path / "b.mp4").unlink()
    session = LabelSession(str(root))
    found = more_frames.spread(session, shown_frames.ShownFrames(session), 3)
    assert {folder: len(numbers) for folder, numbers in found.items()} == {"a": 3}
    assert session.notes[-1].startswith("1 film could not be used for more frames, of b: ")
    session.close()


def test_the_address_of_a_project_stays_and_is_its_owners_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = address_book.of("/a/project")
    address_book.keep("/a/project", first._replace(port=4321))
    assert address_book.of("/a/project") == (first.token, 4321)
    assert address_book.of("/another").token != first.token
    (file,) = tmp_path.rglob("*.json")
    assert file.stat().st_mode & 0o077 == 0
    file.write_text("{}")
    assert address_book.of("/a/project").token != first.token


def test_a_port_that_is_taken_is_an_error_in_words():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="--port"):
            listening.bind("127.0.0.1", taken.getsockname()[1])


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["nowhere"], "No file or folder"),
        (["film.mp4"], "--bodyparts"),
        (["project", "--bodyparts", "a"], "only with films"),
        (["project", "other"], "one project at a time"),
        (["project", "--port", "70000"], "65535"),
    ],
)
def test_what_cannot_be_labeled_is_told(tmp_path, monkeypatch, capsys, words, what):
    monkeypatch.chdir(tmp_path)
    fakes.project(tmp_path / "project")
    fakes.video(tmp_path / "film.mp4", "libx264", 5)
    try:
        assert cli.main(["label", *words]) == 2
    except SystemExit as end:
        assert end.code == 2
    assert what in capsys.readouterr().err
    assert not (tmp_path / "film-labels").exists()


def test_the_server_answers_over_a_socket_and_ends_when_told(root):
    desk = Desk(LabelSession(str(root)), NoLearner("none"))
    app = server.application(desk, TOKEN, gate.allowed_hosts("127.0.0.1"))
    bound = listening.bind("127.0.0.1", 0)
    running = uvicorn.Server(listening.settings(app))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [bound]})
    thread.start()
    try:
        with socket.create_connection(bound.getsockname()) as plain:
            plain.sendall(f"GET /{TOKEN}/style.css HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            assert plain.recv(100).startswith(b"HTTP/1.1 200")
    finally:
        running.should_exit = True
        thread.join(10)
    assert not thread.is_alive()
    desk.close()


def test_labels_of_another_program_say_how_they_become_a_project(root):
    (root / "config.yaml").unlink()
    with pytest.raises(
        ValueError, match=r"of format deeplabcut, and no config.yaml. `beampose imp"
    ):
        LabelSession(str(root))
    (root / "labels.slp").write_bytes(b"")
    with pytest.raises(
        ValueError, match=r"labels.slp holds labels of format sleap, .* makes a Dee"
    ):
        LabelSession(str(root / "labels.slp"))
