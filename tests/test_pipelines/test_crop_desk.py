"""Sorting crops on the page: guesses, groups, marks that are never lost."""

import label_browser
import numpy as np
import pytest
from label_browser import Server, browser, until
from PIL import Image
from test_label_server import TOKEN, Client, post

from beampose import formats
from beampose.pipelines import cli
from beampose.pipelines.curation.crop_vectors import Looks
from beampose.pipelines.label import crop_desk, crop_guesses, crop_server, gate
from beampose.pipelines.label.crop_desk import CropDesk
from beampose.pipelines.label.crop_marks import Detections, DismissedMarks, SortedMarks


def looks(count=60, kinds=3, seed=0):
    """Crops of some kinds, those of one kind alike; the kind of each."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(kinds, 16))
    kind = np.arange(count) % kinds
    features = centres[kind] + rng.normal(scale=0.3, size=(count, 16))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    names = [f"crop{i:03d}.jpg" for i in range(count)]
    return Looks(names, features.astype(np.float32), [b"\xff\xd8"] * count), kind


@pytest.fixture
def desk(tmp_path):
    found, _ = looks()
    made = CropDesk(str(tmp_path), found, SortedMarks(str(tmp_path)))
    yield made
    made.close()


def test_a_few_marks_tell_the_rest_and_a_wrong_one_is_doubted():
    found, kind = looks(kinds=2)
    marks = np.full(60, -1)
    assert crop_guesses.guesses(found.features, marks, 2) is None
    marks[:12] = kind[:12]
    said = crop_guesses.guesses(found.features, marks, 2)
    assert (said.argmax(axis=1) == kind).mean() > 0.95
    np.testing.assert_allclose(said.sum(axis=1), 1)
    marks[:30] = kind[:30]
    marks[4] = 1 - kind[4]
    judged = crop_guesses.held_out(found.features, marks, 2)
    assert np.isnan(judged[30:]).all() and np.isfinite(judged[:30]).all()
    assert crop_guesses.contradicted(marks, judged)[:1] == [4]


def test_a_class_without_a_mark_is_never_guessed():
    found, kind = looks(kinds=2)
    marks = np.where(np.arange(60) < 12, kind, -1)
    said = crop_guesses.guesses(found.features, marks, 3)
    assert (said.argmax(axis=1) < 2).all()


def test_the_only_mark_of_a_class_is_not_contradicted_by_who_knows_no_such_class():
    found, kind = looks(kinds=2)
    marks = np.where(np.arange(60) < 24, kind, -1)
    marks[5] = 2
    judged = crop_guesses.held_out(found.features, marks, 3)
    assert np.isnan(judged[5]).all() and np.isfinite(np.delete(judged[:24], 5, axis=0)).all()
    assert 5 not in crop_guesses.contradicted(marks, judged)


def test_groups_hold_each_crop_once_and_what_is_alike_together():
    found, kind = looks()
    alike = crop_guesses.likeness(found.features)
    made = crop_guesses.groups(found.features, np.arange(60), range(60), alike, None, 100)
    members = [i for one in made for i in one.members]
    assert sorted(members) == list(range(60))
    assert all(len(set(kind[one.members])) == 1 for one in made)
    assert len(made) < 30


def test_groups_are_marked_and_what_is_least_sure_comes_next(desk, tmp_path):
    _, kind = looks()
    first = desk.groups()["groups"]
    assert all(one["guess"] is None for one in first)
    assert len({kind[one["members"][0]] for one in first[:3]}) == 3
    done = 0
    while done < 20 or desk.groups()["groups"][0]["guess"] is None:
        group = desk.groups()["groups"][0]["members"]
        desk.mark("one", [[i, int(kind[i] > 0)] for i in group])
        done += len(group)
    said = desk.groups()
    assert "guessed right" in said["text"] and said["left"] == 60 - done
    sure = [one["sure"] for one in said["groups"]]
    assert sure[0] <= min(sure) + 0.2
    assert all(one["guess"] == int(kind[one["members"][0]] > 0) for one in said["groups"])
    # A session that starts now goes on; experiments read the same file.
    desk.close()
    again = CropDesk(str(tmp_path), looks()[0], SortedMarks(str(tmp_path)))
    assert again.counts() == desk.counts()
    again.close()
    for name in looks()[0].names:
        (tmp_path / name).write_bytes(b"x")
    labels = formats.read("csv", str(tmp_path / "sorted.csv"), scorer=None, bodyparts=None)
    assert len(labels.items) == done and set(labels.classes) == {"positive", "negative"}


def test_marks_of_files_that_are_gone_stay_and_are_told(tmp_path):
    (tmp_path / "sorted.csv").write_text("gone.jpg,bird\ncrop001.jpg,bird\ncrop002.jpg,cat\n")
    desk = CropDesk(str(tmp_path), looks()[0], SortedMarks(str(tmp_path)))
    assert desk.classes == ["bird", "cat"] and "gone.jpg" in desk.notes[0]
    desk.mark("one", [[1, 1], [2, None]])
    assert (tmp_path / "sorted.csv").read_text() == "crop001.jpg,cat\ngone.jpg,bird\n"
    desk.close()
    (tmp_path / "sorted.csv").write_text("a,b,c\n")
    with pytest.raises(ValueError, match=r"sorted.csv:1 must be a crop and its class"):
        CropDesk(str(tmp_path), looks()[0], SortedMarks(str(tmp_path)))


def test_what_was_marked_since_a_page_saw_it_stays(desk):
    desk.mark("one", [[0, 0], [1, 1]])
    # The second was done before, and its answer was lost.
    assert desk.mark("one", [[0, 1, [None]], [1, 1, [None]], [2, 1, [None]]])["newer"] == [[0, 0]]
    assert desk.project()["marks"][:3] == [0, 1, 1]
    with pytest.raises(ValueError, match="This is no mark"):
        desk.mark("one", [[0, 1, 5]])


def test_a_full_disk_marks_nothing(desk, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("beampose.core.storage.write_text", full)
    with pytest.raises(OSError, match="No space"):
        desk.mark("one", [[0, 0]])
    assert desk.counts()["counts"] == [0, 0]


def test_what_another_program_marked_meanwhile_is_taken_up(desk, tmp_path, monkeypatch):
    monkeypatch.setattr(crop_desk, "LOOK_SECONDS", 0.0)
    # A second program that looks on sees what the first one marks.
    looking = CropDesk(str(tmp_path), looks()[0], SortedMarks(str(tmp_path)))
    desk.mark("one", [[0, 0], [1, 1]])
    assert not looking.state("two")["writing"]
    assert looking.project()["marks"][:3] == [0, 1, -1] and not looking.notes
    # By hand, in the file: a mark more, one of a class that is not here, one less.
    file = tmp_path / "sorted.csv"
    file.write_text("crop001.jpg,negative\ncrop002.jpg,positive\ncrop003.jpg,fox\n")
    assert desk.mark("one", [[4, 0]])["written"] == 3
    assert desk.project()["marks"][:5] == [-1, 1, 0, -1, 0]
    assert "crop003.jpg,fox" in file.read_text() and "crop000" not in file.read_text()
    assert "fox" in desk.notes[0] and "changed by another program" in desk.notes[1]
    desk.mark("one", [[3, 1]])
    assert "crop003.jpg,negative" in file.read_text()
    desk.close()
    # What the other one has written since then stays when this one may write.
    assert looking.state("two")["writing"]
    looking.mark("two", [[5, 1]])
    assert looking.project()["marks"][:6] == [-1, 1, 0, 1, 0, 1]
    # A table that is none is not written over.
    file.write_text("a,b,c\n")
    with pytest.raises(OSError, match="sorted.csv:1 must be a crop and its class"):
        looking.mark("two", [[6, 1]])
    assert file.read_text() == "a,b,c\n"
    looking.close()


def test_dismissed_places_are_the_csv_that_repeats_takes(tmp_path):
    places = {"a": Detections("film", [(1, 0), (2, 0)]), "b": Detections("film", [(5, 1)])}
    marks = DismissedMarks(str(tmp_path), places, ["b"])
    assert marks.read() == {"b": "repeat"}
    marks.write({"a": "repeat", "b": "animal"})
    assert marks.file.read_text() == "video,frame,box\nfilm,1,0\nfilm,2,0\n"
    assert marks.read() == {"a": "repeat", "b": "animal"}


def test_the_server_refuses_what_is_no_mark_and_a_second_page(desk):
    client = Client(crop_server.application(desk, TOKEN, gate.allowed_hosts("127.0.0.1")))
    assert "crops.js" in client.get(f"/{TOKEN}/").text
    assert client.get("/crop?number=0").status_code == 403
    assert client.get(f"/{TOKEN}/crop?number=0").headers["content-type"] == "image/jpeg"
    for number in ("60", "-1"):
        assert client.get(f"/{TOKEN}/crop?number={number}").status_code == 404
    assert client.get(f"/{TOKEN}/crop?number=x").status_code == 400
    assert client.get(f"/{TOKEN}/api/marked?class=../x").status_code == 404
    for wrong in ([[60, 0]], [[0, 2]], [["0", 0]], [[0]], [5], [[True, 0]]):
        assert post(client, "marks", marks=wrong).status_code == 400
    assert post(client, "marks", marks=[[0, 0], [3, 0], [1, 1]]).json()["counts"] == [2, 1]
    assert post(client, "marks", "two", marks=[[0, 1]]).status_code == 409
    assert not post(client, "state", "two").json()["writing"]
    assert post(client, "state", "two", take=True).json()["writing"]
    shown = client.get(f"/{TOKEN}/api/marked?class=positive").json()
    assert {one["crop"] for one in shown["crops"]} == {0, 3}


def test_a_page_of_other_crops_marks_nothing(tmp_path):
    codes = []
    for count, classes in ((60, ()), (61, ()), (61, ("a", "b"))):
        made = CropDesk(str(tmp_path), looks(count)[0], SortedMarks(str(tmp_path)), classes)
        client = Client(crop_server.application(made, TOKEN, gate.allowed_hosts("127.0.0.1")))
        codes.append(client.get(f"/{TOKEN}/api/crops").json()["code"])
        assert post(client, "state").json()["code"] == codes[-1]
        for code in codes[:-1]:
            refused = post(client, "marks", marks=[[0, 0]], of=code)
            assert refused.status_code == 409 and "Load it again" in refused.json()["error"]
        assert made.counts()["left"] == count
        made.close()
    assert len(set(codes)) == 3


def test_options_of_crops_have_an_effect_only_with_crops(tmp_path, capsys):
    assert cli.main(["label", str(tmp_path / "film.mp4"), "--classes", "a,b"]) == 2
    assert "--classes has an effect only with a folder of crops" in capsys.readouterr().err
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    assert cli.main(["label", str(tmp_path), "--bodyparts", "nose"]) == 2
    assert "--bodyparts has an effect only with films" in capsys.readouterr().err
    # Frames with labels of bodyparts are no crops.
    (tmp_path / "CollectedData_me.csv").write_text("x")
    assert cli.main(["label", str(tmp_path), "--classes", "a,b"]) == 2
    assert "--classes has an effect only" in capsys.readouterr().err


@pytest.mark.slow
def test_an_open_page_goes_on_with_the_crops_of_a_folder_that_grew(tmp_path):
    label_browser.needs_browser()
    folder = tmp_path / "crops"
    folder.mkdir()
    for name, gray in (("b", 90), ("c", 200)):
        Image.new("RGB", (96, 96), (gray,) * 3).save(folder / f"{name}.png")
    level = """async (crop) => {
      const img = document.querySelector(`[data-crop="${crop}"] img`);
      await img.decode();
      const canvas = new OffscreenCanvas(4, 4).getContext("2d");
      canvas.drawImage(img, 0, 0, 4, 4);
      return canvas.getImageData(1, 1, 1, 1).data[0];
    }"""
    # A class may have any name, that of a view, too.
    classes = ("red", "doubts", "Capreolus capreolus", "Vulpes vulpes", "Nyctereutes procyonoides")
    server = Server(folder, "--classes", ",".join(classes), cache=tmp_path / "cache")
    with browser() as context:
        page = context.new_page()
        page.goto(server.address)
        until(lambda: page.locator(".tile").count() == 2)
        all_is_within_the_window(page)
        assert abs(page.evaluate(level, 0) - 90) < 5
        server.kill()
        # Marked while nobody answers: it is for the crop that was shown.
        page.locator('[data-crop="1"]').click()
        page.keyboard.press("2")
        until(lambda: page.evaluate("beampose.pending().length"))
        page.locator("#saved.bad").wait_for()
        all_is_within_the_window(page)
        Image.new("RGB", (96, 96), (20,) * 3).save(folder / "a.png")
        server.start()
        page.locator('[data-crop="0"]').wait_for()
        page.locator('[data-crop="2"]').wait_for()
        until(lambda: (folder / "sorted.csv").is_file())
        until(lambda: page.evaluate("beampose.pending().length === 0"))
        until(lambda: page.locator('[data-crop="0"]').count())
        assert abs(page.evaluate(level, 0) - 20) < 5
        page.get_by_role("button", name="doubts 1", exact=True).click()
        page.get_by_text("1 doubts. Click").wait_for()
        assert page.locator(".tile").count() == 1
    server.end()
    marked = (folder / "sorted.csv").read_text().split()
    assert marked == ["b.png,doubts"]


def all_is_within_the_window(page):
    """What can be pressed, and what is said of saving; a narrow page has more lines of it."""
    reached = """() => [...document.querySelectorAll("button, #saved")]
      .map((one) => [one.textContent, one.getBoundingClientRect()])
      .filter(([, one]) => one.width)
      .filter(([text, one]) => one.left < 0 || one.right > innerWidth || one.width < 20)
      .map(([text]) => text)"""
    for width, height in ((800, 500), (480, 800), (1280, 800)):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate(reached) == []
        box = page.locator("#saved").bounding_box()
        assert box["width"] > 20 and page.locator("#crops").bounding_box()["height"] > 250
        page.keyboard.press("?")
        assert page.evaluate("document.getElementById('help').scrollTop") == 0
        page.keyboard.press("Escape")


@pytest.mark.slow
def test_a_person_sorts_crops_by_keys_and_no_kill_loses_anything(tmp_path):
    label_browser.needs_browser()
    folder = tmp_path / "crops"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(40):
        pixels = rng.integers(0, 60, (64, 64, 3)).astype(np.uint8)
        pixels[16:48, 16:48, i % 2] = 220
        Image.fromarray(pixels).save(folder / f"crop{i:02d}.png")
    server = Server(folder, "--classes", "red,green", cache=tmp_path / "cache")
    with browser(color_scheme="dark") as context:
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(server.address)
        groups = "beampose.state.groups.map(one => one.members)"
        until(lambda: page.evaluate(f"{groups}.length"))
        for _ in range(40):
            until(lambda: page.evaluate(f"{groups}.length || beampose.state.left === 0"))
            if page.evaluate("beampose.state.left") <= 10:
                break
            first = page.evaluate(f"{groups}[0]")
            marked = page.evaluate("beampose.state.marks.size")
            key = "2" if first[0] % 2 else "1"
            # Held down, it marks this group alone.
            page.keyboard.down(key)
            page.keyboard.down(key)
            page.keyboard.up(key)
            assert page.evaluate("beampose.state.marks.size") == marked + len(first)
        # A crop that does not belong is left out of its group.
        server.kill()
        server.start()
        page.reload()
        until(lambda: page.evaluate(f"{groups}.length"))
        members = page.evaluate(f"{groups}[0]")
        page.locator(".tile").first.click()
        page.keyboard.press("1")
        until(lambda: page.evaluate("beampose.pending().length === 0"))
        if len(members) > 1:
            assert members[0] in page.evaluate("beampose.state.groups.flatMap(one => one.members)")
        page.get_by_role("button", name="green", exact=False).first.click()
        until(lambda: page.locator(".tile.marked").count())
        # A double click is one: twice the next of two classes would take the mark away.
        crop = page.locator(".tile.own1").first.get_attribute("data-crop")
        for following in (None, 0, 1):
            page.locator(f'[data-crop="{crop}"]').dblclick()
            assert page.evaluate(f"beampose.state.marks.get({crop})") == following
        until(lambda: page.evaluate("beampose.pending().length === 0"))
        # Of an earlier visit: what may still be saved is, and the rest is told.
        names = page.evaluate("[...beampose.state.marks.keys()].map(i => beampose.state.names[i])")
        page.evaluate(
            "(marks) => localStorage.setItem(beampose.root(), JSON.stringify(marks))",
            [
                ["gone.png", "red", [None]],
                [names[0], "green", ["blue"]],
                [names[1], "green", [None, "red", "green"]],
            ],
        )
        page.reload()
        told = page.locator("#notice")
        told.wait_for()
        assert (
            "gone.png" in told.inner_text() and f"{names[0]} was marked anew" in told.inner_text()
        )
        until(lambda: page.evaluate("beampose.pending().length === 0"))
        told.locator("button").click()
        # A second page looks on, and sees what the first marks.
        two = context.new_page()
        two.goto(server.address)
        two.get_by_text("Read-only: another page").wait_for()
        left = page.evaluate("beampose.state.left")
        page.keyboard.press("Control+z")
        page.get_by_role("button", name="To mark", exact=False).click()
        until(lambda: page.evaluate(f"{groups}.length"))
        page.keyboard.press("1")
        until(lambda: page.evaluate("beampose.state.left") < left)
        now = page.evaluate("beampose.state.left")
        until(lambda: two.evaluate("beampose.state.left") == now)
        # What may not be undone while another page writes is undone afterwards.
        two.get_by_text("Write here").click()
        until(lambda: not page.evaluate("beampose.state.writing"))
        page.keyboard.press("Control+z")
        two.close()
        until(lambda: page.evaluate("beampose.state.writing"))
        assert page.evaluate("beampose.state.left") == now
        page.keyboard.press("Control+z")
        until(lambda: page.evaluate("beampose.state.left") > now)
        until(lambda: page.evaluate(f"{groups}.flat().length === beampose.state.left"))
        left = page.evaluate("beampose.state.left")
        # A button that has the focus is not pressed by keys; those of other keyboards are known.
        members, guess = page.evaluate(f"[{groups}[0], beampose.state.groups[0].guess]")
        page.locator("#classes button").nth(1 - guess).focus()
        page.keyboard.press("Enter")
        marks = "(crops) => crops.map((crop) => beampose.state.marks.get(crop))"
        assert page.evaluate(marks, members) == [guess] * len(members)
        undo = "new KeyboardEvent('keydown', {key: 'я', code: 'KeyZ', ctrlKey: true})"
        page.evaluate(f"document.dispatchEvent({undo})")
        assert page.evaluate(marks, members) == [None] * len(members)
        # The server has answered both, and the groups are those of before.
        until(lambda: page.evaluate("beampose.pending().length === 0"))
        until(lambda: page.evaluate(f"[{groups}.flat().length, beampose.state.left]") == [left] * 2)
        page.keyboard.press("1")
        until(lambda: page.evaluate("beampose.state.left") < left)
        assert not errors
    server.end()
    rows = dict(line.split(",") for line in (folder / "sorted.csv").read_text().splitlines())
    right = [name for name, kind in rows.items() if (int(name[4:6]) % 2 == 1) == (kind == "green")]
    assert len(right) >= 28
