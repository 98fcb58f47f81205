"""The labeling page in a real browser: by mouse and keys, through reloads and kills."""

import contextlib

import fakes
import label_browser
import numpy as np
import pytest
import yaml

from beampose.formats.deeplabcut import prediction_tables, project_labels
from beampose.formats.deeplabcut.prediction_tables import Table
from beampose.preprocess import images

label_browser.needs_browser()

from label_browser import Page, Server, browser, until  # noqa: E402


def labels(root):
    return {item.name: item.keypoints for item in project_labels.read(str(root)).items}


def near(found, expected):
    np.testing.assert_allclose(found, expected, atol=0.51)


def test_a_person_labels_by_mouse_and_keys_and_no_kill_loses_anything(tmp_path):
    root = fakes.project(tmp_path / "project", rows=4)
    for file in fakes.label_folder(root).glob("CollectedData*"):
        file.unlink()
    server = Server(root, "--no-model", cache=tmp_path / "cache")
    heights = """addEventListener("DOMContentLoaded", () => {
      const see = ([one]) => (window.heights ??= new Set()).add(one.contentRect.height);
      new ResizeObserver(see).observe(document.getElementById("stage"));
    })"""
    with browser() as context:
        context.add_init_script(heights)
        one = Page(context, server.address)
        page = one.page
        # The picture stays where it is when the server says that there is no film.
        assert one.evaluate("heights.size") == 1
        # Placed one after the other; the last one is not to be seen.
        one.click((10, 12))
        one.click((30, 20))
        one.press("v")
        near(one.points()[0][:2], [[10, 12], [30, 20]])
        assert one.points()[0][2] is None
        one.drag((30, 20), (40, 25))
        one.press("Control+z")
        near(one.points()[0][1], [30, 20])
        one.press("Control+Shift+z")
        near(one.points()[0][1], [40, 25])
        one.saved()
        near(labels(root)["labeled-data/cam1/img0.png"][0, :2], [[10, 12], [40, 25]])
        odd_hands(one)
        # Zoomed at the pointer, the place under it stays.
        page.mouse.move(*one.at((20, 20)))
        before = one.at((20, 20))
        page.mouse.wheel(0, -600)
        page.wait_for_timeout(100)
        near(one.at((20, 20)), before)
        one.press("f", "ArrowRight", "c")
        assert one.frame() == "cam1/img1.png"
        near(one.points()[0][:2], [[10, 12], [40, 25]])
        one.click((40, 25), button="right")
        assert one.points()[0][1] is None
        one.saved()
        # What older pages kept by the numbers of bodyparts is told and not taken, nor is what was
        # labeled anew since; what nobody touched is.
        one.evaluate(
            """
            const { root, individuals: [one], bodyparts: [nose, , last] } = beampose.store.project;
            const been = { xy: [3, 3], absent: false }, none = { xy: null, absent: false };
            localStorage.setItem(`beampose label ${root}`, JSON.stringify([
              ['x', { frame: 'cam1/img2.png', point: [0, 0], xy: [1, 1], absent: false }],
              ['y', { frame: 'cam1/img0.png', point: [one, nose], xy: [1, 1], absent: false,
                      was: [been] }],
              ['z', { frame: 'cam1/img3.png', point: [one, last], xy: [2, 1], absent: false,
                      was: [been, none] }]]))
            """
        )
        page.reload()
        one.ready()
        told = page.locator("#notice").inner_text()
        assert "look again at cam1/img2.png" in told and "anew since then" in told
        assert "1 change of an earlier visit" in told and "cam1/img0.png" in told
        one.saved()
        near(labels(root)["labeled-data/cam1/img0.png"][0, 0], [10, 12])
        near(labels(root)["labeled-data/cam1/img3.png"][0, 2], [2, 1])
        assert one.frame() == "cam1/img1.png"
        near(one.points()[0][0], [10, 12])
        # A second page looks on, and says so.
        two = Page(context, server.address)
        two.says("Read-only")
        two.go("cam1/img2.png")
        two.click((5, 5))
        assert two.points()[0][0] is None
        # It shows what the first one labels, and goes on from there where it writes from now on.
        one.drag((10, 12), (12, 15))
        one.saved()
        until(lambda: two.evaluate("beampose.store.frames[1].points[0][0][1]") > 14)
        two.page.get_by_text("Write here").click()
        two.says("All saved")
        until(lambda: two.evaluate("beampose.store.frames[1].points[0][0][1]") > 14)
        # Not what it said before it lost the pen.
        one.says("Read-only")
        two.page.close()
        one.says("All saved")
        # What was clicked while the server was down is written when it is back.
        server.kill()
        one.go("cam1/img2.png")
        one.click((7, 8))
        one.go("cam1/img3.png")
        one.click((9, 9))
        one.says("Not saved")
        kept = one.evaluate("[...beampose.pending.values()].map((one) => one.point[1])")
        assert kept == ["nose", "nose"]
        # A frame that is gone does not take the others' changes along.
        (fakes.label_folder(root) / "img3.png").unlink()
        server.start()
        one.saved()
        near(labels(root)["labeled-data/cam1/img2.png"][0, 0], [7, 8])
        assert "nose in cam1/img3.png was not saved" in page.locator("#notice").inner_text()
        # A newer sentence does not take the place of an older one.
        assert "anew since then" in page.locator("#notice").inner_text()
        page.locator("#notice button").click()
        assert not page.locator("#notice").is_visible()
        assert not one.errors and not two.errors
    server.end()


def odd_hands(one):
    """What changes nothing: a second finger, a lost mouse, a held key, a click too early."""
    before = one.points()
    pointer = """([[x, y], steps]) => {
      const overlay = document.getElementById("overlay");
      overlay.setPointerCapture = () => {};
      for (const [type, id, dx, buttons] of steps) {
        const rest = { bubbles: true, button: 0, buttons, clientX: x + dx, clientY: y };
        overlay.dispatchEvent(new PointerEvent(type, { pointerId: id, ...rest }));
      }
      delete overlay.setPointerCapture;
      return beampose.store.current.points;
    }"""
    begun = [["pointerdown", 1, 0, 1], ["pointermove", 1, 30, 1]]
    second = [["pointerdown", 2, 90, 1], ["pointerup", 2, 90, 0], ["pointerup", 1, 30, 0]]
    lost = [["pointermove", 1, 60, 0], ["pointermove", 1, 90, 0]]
    for rest in (second, lost):
        found = one.evaluate(pointer, [[*one.at((40, 25))], [*begun, *rest]])
        assert found == before
    pinch(one)
    assert one.points() == before
    # Held down; and while a point is dragged, keys wait.
    one.page.mouse.move(*one.at((40, 25)))
    one.page.mouse.down()
    one.page.mouse.move(*one.at((20, 20)))
    one.press("ArrowRight", "Delete")
    one.page.mouse.move(*one.at((40, 25)))
    one.page.mouse.up()
    assert one.frame() == "cam1/img0.png"
    near(one.points()[0][:2], before[0][:2])
    # A picture that is late: the click would mean the one before it.
    late = """() => { const real = window.fetch; window.fetch = async (...a) => {
      if (String(a[0]).includes("/frame?key=cam1%2Fimg3"))
        await new Promise((done) => (window.go = done));
      return real(...a); } }"""
    one.evaluate(late)
    one.page.locator(".frame").nth(3).click()
    one.page.mouse.dblclick(*one.at((10, 12)))
    assert one.points()[0] == [None] * 3
    one.evaluate("window.go()")
    one.go("cam1/img3.png")
    one.page.mouse.dblclick(*one.at((10, 12)))
    assert one.points()[0][1] is None
    near(one.points()[0][0], [10, 12])
    one.press("Control+z")
    one.page.locator(".frame").nth(0).click()
    one.go("cam1/img0.png")


def pinch(one):
    """Two fingers, one of them on a point, go apart and aside: the picture goes with them."""
    touch = one.page.context.new_cdp_session(one.page)

    def fingers(what, *places):
        points = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(places)]
        touch.send("Input.dispatchTouchEvent", {"type": f"touch{what}", "touchPoints": points})

    touch.send("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 2})
    scale, (x, y) = one.evaluate("beampose.view.scale"), one.at((40, 25))
    held = [one.at((40, 25)), one.at((50, 25))]
    fingers("Start", (x, y))
    fingers("Start", *held)
    fingers("Move", (x - 20, y + 5), (x - 20 + 3 * (held[1][0] - x), y + 5))
    near(one.at((40, 25)), (x - 20, y + 5))
    assert abs(one.evaluate("beampose.view.scale") / scale - 3) < 0.1
    fingers("Move", (x, y), held[1])
    fingers("End", (x, y))
    fingers("End")
    near(one.at((40, 25)), (x, y))
    touch.send("Emulation.setTouchEmulationEnabled", {"enabled": False})


@contextlib.contextmanager
def asleep(one):
    """As a page in the background, whose questions wait until it wakes."""
    held = []
    one.page.route("**/api/state", lambda route: held.append(route))
    until(lambda: one.page.wait_for_timeout(100) or held)
    yield
    for route in held:
        route.continue_()
    one.page.unroute("**/api/state")


@pytest.mark.slow
def test_a_page_that_slept_shows_what_is_true_when_it_wakes(tmp_path):
    root = fakes.project(tmp_path / "project", rows=2)
    for file in fakes.label_folder(root).glob("CollectedData*"):
        file.unlink()
    server = Server(root, "--no-model", cache=tmp_path / "cache")
    with browser() as context:
        one = Page(context, server.address)
        one.saved()
        names = one.evaluate("beampose.store.project.bodyparts")
        with asleep(one):
            two = Page(context, server.address)
            two.page.get_by_text("Write here").click()
            two.says("All saved")
            two.click((10, 12))
            two.saved()
            two.page.close()
        until(lambda: one.points()[0][0])
        one.saved()
        assert one.evaluate("Boolean(beampose.store.point)")
        with asleep(one):
            server.end()
            config = root / "config.yaml"
            said = yaml.safe_load(config.read_text())
            config.write_text(yaml.safe_dump({**said, "bodyparts": names[::-1]}))
            server.start()
        until(lambda: one.evaluate("beampose.store.project.bodyparts") == names[::-1])
        assert "started again with other" in one.page.locator("#notice").inner_text()
        near(one.points()[0][2], [10, 12])
        one.click((30, 20))
        one.saved()
        hasty_hands(one)
        assert not one.errors
    server.end()


def hasty_hands(one):
    """A finger that trembles and taps twice, a hasty click beside a label, keys of elsewhere."""
    one.go("cam1/img1.png")
    touch = one.page.context.new_cdp_session(one.page)
    x, y = one.at((20, 20))
    for dx in (0, 12):
        for what, *places in (("Start", (x + dx, y)), ("Move", (x + dx + 12, y + 5)), ("End",)):
            points = [{"x": x, "y": y} for x, y in places]
            touch.send("Input.dispatchTouchEvent", {"type": f"touch{what}", "touchPoints": points})
    near(one.at((20, 20)), (x, y))
    near(one.points()[0][0], [20, 20])
    assert one.points()[0][1:] == [None, None]
    one.page.wait_for_timeout(600)
    one.page.mouse.move(x + 7, y)
    one.page.mouse.down()
    one.page.mouse.move(x + 13, y + 4)
    one.page.mouse.up()
    near(one.points()[0][0], [20, 20])
    assert one.points()[0][1] is not None
    # Russian, where [ ] are letters; and French, where - is on the key of 6 or, here, of 1.
    type_one = """(of) => dispatchEvent(new KeyboardEvent("keydown", of)) &&
      [Number(document.getElementById("brightness").value), beampose.view.scale,
       beampose.store.point[1]]"""
    before = one.evaluate(type_one, {"key": "F13", "code": "F13"})
    brighter = one.evaluate(type_one, {"key": "ъ", "code": "BracketRight", "cancelable": False})
    assert brighter[0] > before[0]
    smaller = one.evaluate(type_one, {"key": "-", "code": "Digit1", "cancelable": False})
    assert smaller[1] < before[1] and smaller[2] == before[2] != 0


@pytest.mark.slow
def test_several_animals_and_the_scene_are_labeled(tmp_path):
    root = fakes.animals(tmp_path / "herd", np.full((2, 3, 4, 2), np.nan))
    server = Server(root, "--no-model", cache=tmp_path / "cache")
    places = [(5, 5), (15, 5), (25, 5), (5, 20), (15, 20), (25, 20), (50, 30)]
    with browser() as context:
        one = Page(context, server.address)
        for place in places:
            one.click(place)
        one.saved()
        assert not one.errors
    server.end()
    found = labels(root)["labeled-data/cam1/img0.png"]
    near(found[0, :3], places[:3])
    near(found[1, :3], places[3:6])
    near(found[2, 3], places[6])


@pytest.mark.slow
def test_after_six_frames_suggestions_come_and_are_accepted_or_dragged(tmp_path):
    """One spot on noise, which a head learns from few labels."""
    root = fakes.project(tmp_path / "project", rows=14, config={"bodyparts": ["spot"]})
    folder = fakes.label_folder(root)
    for file in folder.glob("CollectedData*"):
        file.unlink()
    rng = np.random.default_rng(3)
    places = rng.uniform([30, 30], [230, 130], (14, 2)).round()
    rows, columns = np.mgrid[:160, :260]
    for i, (x, y) in enumerate(places):
        frame = rng.integers(90, 110, (160, 260, 3)).astype(np.uint8)
        frame[(rows - y) ** 2 + (columns - x) ** 2 < 49] = (230, 40, 40)
        (folder / f"img{i:02d}.png").write_bytes(fakes.encode(frame))
    for file in folder.glob("img?.png"):
        file.unlink()
    server = Server(root, cache=tmp_path / "cache")
    with browser() as context:
        one = Page(context, server.address)
        for i in range(6):
            one.go(f"cam1/img{i:02d}.png")
            one.click(places[i])
        one.saved()
        one.go("cam1/img06.png")
        get = "key => beampose.store.suggestions.get(key)?.[0]?.[0] ?? null"
        said = until(lambda: one.evaluate(get, "cam1/img06.png"), 240)
        assert np.linalg.norm(np.array(said[:2]) - places[6]) < 12
        one.press("Enter")
        near(one.points()[0][0], said[:2])
        one.go("cam1/img07.png")
        said = until(lambda: one.evaluate(get, "cam1/img07.png"), 240)
        said = one.evaluate(get, "cam1/img07.png")
        one.drag(said[:2], places[7] + 9)
        near(one.points()[0][0], places[7] + 9)
        one.saved()
        until(lambda: one.evaluate("beampose.store.next.length"), 240)
        assert not one.errors
    server.end()
    assert len(labels(root)) == 8
    assert images.decode((folder / "img00.png").read_bytes()).shape == (160, 260, 3)


def predictions(tmp_path):
    """An experiment with a film of two animals that are exchanged halfway.

    Returns:
      The stem of its predictions, and what they should be.
    """
    film = fakes.video(tmp_path / "film.mp4", "libx264", 60)
    fakes.animals(tmp_path / "herd", np.full((2, 3, 4, 2), 11.5))
    values = np.full((60, 6, 3), 0.9)
    values[:, :3, :2] = np.array([[10, 10], [14, 10], [18, 10]]) + np.arange(60)[:, None, None] / 9
    values[:, 3:, :2] = np.array([[60, 40], [64, 40], [68, 40]]) - np.arange(60)[:, None, None] / 9
    truth = values.copy()
    values[30:] = np.concatenate([values[30:, 3:], values[30:, :3]], axis=1)
    points = tuple((owner, part) for owner in ("ann", "bob") for part in fakes.BODYPARTS)
    stem = tmp_path / "results/predictions/filmDLC_x"
    prediction_tables.write(Table("", "DLC_x", points, np.arange(60), values), str(stem))
    config = {
        "task": "pose",
        "source": {"format": "deeplabcut", "path": "herd"},
        "predict": {"videos": [film]},
        "output": "results",
    }
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(config))
    return stem, truth


@pytest.mark.slow
def test_what_was_corrected_while_the_server_was_away_is_sent_by_the_next_visit(tmp_path):
    predictions(tmp_path)
    server = Server(tmp_path / "experiment.yaml", "--no-model", cache=tmp_path / "cache")

    def proofread(one):
        one.page.get_by_text("Proofread", exact=True).click()
        until(lambda: one.frame() == "film#30")
        one.wait("beampose.isCurrent()")

    with browser() as context:
        one = Page(context, server.address)
        proofread(one)
        server.kill()
        x, y = one.points()[0][0]
        one.drag((x, y), (x - 20, y - 10))
        near(one.points()[0][0], (x - 20, y - 10))
        one.says("Not saved")
        one.page.close()
        server.start()
        one = Page(context, server.address)
        one.says("All saved")
        assert "1 correction of predictions" in one.page.locator("#notice").inner_text()
        assert one.evaluate("Object.keys(localStorage).filter((k) => k.includes('proof'))") == []
        proofread(one)
        near(one.points()[0][0], (x - 20, y - 10))
        # Undone from elsewhere, it is gone to.
        one.press("Home")
        until(lambda: one.frame() == "film#0")
        one.wait("beampose.isCurrent()")
        one.press("Control+z")
        until(lambda: one.frame() == "film#30")
        near(one.points()[0][0], (x, y))
        assert not one.errors
    server.end()


@pytest.mark.slow
def test_a_swap_is_found_on_the_timeline_and_mended_by_a_key(tmp_path):
    stem, truth = predictions(tmp_path)
    server = Server(tmp_path / "experiment.yaml", "--no-model", cache=tmp_path / "cache")
    log = tmp_path / "results/predictions/filmDLC_x_proofread.jsonl"
    with browser() as context:
        one = Page(context, server.address)
        one.page.get_by_text("Proofread", exact=True).click()
        until(lambda: one.frame() == "film#30")
        one.press("?")
        over = """[...document.querySelectorAll("#tracks kbd, #right")]
          .filter((one) => one.scrollWidth > one.clientWidth
            || one.getBoundingClientRect().right > one.parentElement.getBoundingClientRect().right)
          .map((one) => one.textContent)"""
        keys = one.page.locator("#keys").inner_text()
        assert "swap two animals from here on" in keys and "the whole picture" in keys
        assert "place the bodypart" not in keys
        one.press("?")
        one.page.set_viewport_size({"width": 800, "height": 500})
        assert one.evaluate(over) == []
        one.press("?")
        assert one.evaluate("document.getElementById('help').scrollTop") == 0
        one.press("?")
        one.page.set_viewport_size({"width": 1280, "height": 800})
        one.press("f")
        one.wait("beampose.isCurrent()")
        one.press("s", "s", "Control+z")
        until(lambda: log.is_file() and len(log.read_text().splitlines()) == 4)
        until(lambda: one.points()[0][0] == [round(v, 3) for v in truth[30, 0, :2].tolist()])
        # Nothing but the line in the log may be written yet; the next start goes on from it.
        server.kill()
        server.start()
        one.page.reload()
        one.ready()
        one.page.get_by_text("Proofread", exact=True).click()
        until(lambda: one.frame().startswith("film#"))
        one.press("Home")
        until(lambda: one.frame() == "film#0")
        until(log.with_suffix(".json").is_file)
        assert not one.errors
    server.end()
    found = prediction_tables.read(f"{stem}_proofread.h5")
    np.testing.assert_allclose(found.values, truth)
