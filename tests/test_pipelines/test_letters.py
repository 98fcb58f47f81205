"""What is written and drawn on images is whole, and hides nothing."""

import warnings

import numpy as np
import pytest
from matplotlib import pyplot as plt

from beampose.pipelines.films import drawing, letters
from beampose.pipelines.report import plots

CAPTION = "test: labeled-data/a_long_name_of_a_video/img000123.png  mean error 12.3 px"


@pytest.mark.parametrize("width", [32, 96, 640])
def test_a_caption_is_whole_however_narrow_the_image(width):
    inner = width - 2 * min(6, width // 20)
    lines = letters.lines(CAPTION, inner, 12)
    assert "".join(lines).replace(" ", "") == CAPTION.replace(" ", "")
    assert all(letters.width(line, 12) <= inner for line in lines)
    image = np.zeros((40, width, 3), np.uint8)
    found = drawing.caption(image, CAPTION)
    assert found.shape[1] == width
    assert len(found) == 40 + 16 * len(lines) + 6


def test_dots_are_no_larger_than_suits_the_animal():
    frame = (1080, 1920)
    fly = np.array([[[[100.0, 100.0], [110.0, 110.0], [np.nan, np.nan]]]])
    mouse = fly * 5
    assert drawing.dot_on(*frame, fly) == 1
    assert drawing.dot_on(*frame, mouse) == 5
    assert drawing.dot_on(*frame, fly * 50) == drawing.dot_size(*frame)
    assert drawing.dot_on(*frame, fly * np.nan) == drawing.dot_size(*frame)


def test_names_of_any_script_are_plotted_and_written_without_warnings():
    name = "左耳 ухо ذيل"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with plots.styled():
            figure, axes = plt.subplots()
            axes.set_title(name)
            assert plots.svg(figure)
            figure.canvas.draw()
    image = np.zeros((120, 160, 3), np.uint8)
    drawing.name(image, np.array([[80.0, 60.0]]), name, (255, 255, 255))
    assert image.any()


def test_letters_that_no_font_has_leave_those_beside_them_readable():
    lost = "\U000f1234"
    first, font = letters.runs(f"left {lost} paw")[0]
    assert first.startswith("left ") and font == letters.PLAIN
    if letters.BOXES in letters.families():
        assert first == "left "
    assert letters.runs(f"left {lost} paw")[-1][0].endswith("paw")
    alone, beside = (np.zeros((20, 120, 3), np.uint8) for _ in range(2))
    letters.write(alone, (2, 2), "left", 12, (255, 255, 255))
    letters.write(beside, (2, 2), f"left {lost}", 12, (255, 255, 255))
    end = round(letters.width("left", 12)) + 2
    np.testing.assert_array_equal(alone[:, :end], beside[:, :end])


def test_letters_are_upright_and_regular():
    name = letters.font(letters.PLAIN, 12).getname()
    assert name == ("DejaVu Sans", "Book")
