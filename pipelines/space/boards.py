"""Calibration boards: what they look like, and where their corners are in an image."""

import difflib
from typing import NamedTuple

import cv2
import numpy as np

# Corners refined to a part of a pixel: half of the window searched, and when to stop.
_WINDOW, _FINE = (5, 5), (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 40, 1e-3)
_FLAGS = cv2.CALIB_CB_ADAPTIVE_THRESH | cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_FAST_CHECK
# Fewest corners of a board that say where it is.
FEWEST = 6
_FORMS = (
    "charuco:COLUMNSxROWS:SQUARE:MARKER[:DICTIONARY], such as charuco:8x6:25:18:4X4_50, or "
    "checkerboard:COLUMNSxROWS:SQUARE, with the inner corners, such as checkerboard:9x6:25"
)


class Board(NamedTuple):
    """A board.

    Attributes:
      columns, rows: squares of a ChArUco board; inner corners of a checkerboard.
      square, marker: lengths of sides, in the unit that coordinates shall have; 0 without markers.
      dictionary: OpenCV's, of the markers.
    """

    columns: int
    rows: int
    square: float
    marker: float = 0.0
    dictionary: str = ""

    @property
    def corners(self) -> np.ndarray:
        """(corners, 3), where they are on the board."""
        columns, rows = (self.columns - 1, self.rows - 1) if self.marker else self[:2]
        at = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2)
        at = at + 1.0 if self.marker else at.astype(np.float64)
        return np.column_stack([at * self.square, np.zeros(len(at))])

    @property
    def charuco(self) -> "cv2.aruco.CharucoBoard":
        found = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, self.dictionary))
        return cv2.aruco.CharucoBoard((self.columns, self.rows), self.square, self.marker, found)


def parse(text: str) -> Board:
    """A board by its description.

    Raises:
      ValueError: no such board, or one that cannot be told from its own reflection.
    """
    kind, *parts = text.split(":")
    try:
        columns, rows = (int(side) for side in parts[0].lower().split("x"))
        lengths = [float(part) for part in parts[1 : 3 if kind == "charuco" else 2]]
    except (ValueError, IndexError):
        raise ValueError(f"--board must be {_FORMS}. Received: {text!r}.") from None
    wanted = {"charuco": (2, (3, 4)), "checkerboard": (1, (2,))}.get(kind)
    if wanted is None or len(lengths) != wanted[0] or len(parts) not in wanted[1]:
        raise ValueError(f"--board must be {_FORMS}. Received: {text!r}.")
    if not all(0 < length < np.inf for length in lengths) or not min(columns, rows) >= 3:
        raise ValueError(f"--board needs 3 or more a side and lengths above 0. Received: {text!r}.")
    if max(columns, rows) > 100:
        raise ValueError(f"--board has more than 100 a side. Received: {text!r}.")
    if kind == "checkerboard":
        if columns % 2 == rows % 2:
            raise ValueError(
                f"--board {text}: upside down it looks the same, so that cameras may not agree on "
                "its first corner. Use a board with an odd and an even number of inner corners, or "
                "a ChArUco board."
            )
        return Board(columns, rows, lengths[0])
    return _charuco(text, columns, rows, lengths, parts[3] if len(parts) == 4 else "4X4_50")


def _charuco(text: str, columns: int, rows: int, lengths: list[float], name: str) -> Board:
    square, marker = lengths
    if marker >= square:
        raise ValueError(f"--board {text}: the marker must be smaller than its square.")
    known = [one for one in dir(cv2.aruco) if one.startswith("DICT_")]
    dictionary = name if name.startswith("DICT_") else f"DICT_{name.upper()}"
    if dictionary not in known:
        close = difflib.get_close_matches(dictionary, known, n=1)
        hint = f" Did you mean {close[0].removeprefix('DICT_')}?" if close else ""
        raise ValueError(f"--board {text}: OpenCV has no dictionary {name!r}.{hint}")
    board = Board(columns, rows, square, marker, dictionary)
    markers = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, dictionary)).bytesList
    if len(markers) < columns * rows // 2:
        raise ValueError(
            f"--board {text}: {name} has {len(markers)} markers, the board needs "
            f"{columns * rows // 2}."
        )
    return board


class Detector:
    """Finds a board in images."""

    def __init__(self, board: Board):
        self._board = board
        self._charuco = cv2.aruco.CharucoDetector(board.charuco) if board.marker else None

    def corners(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Numbers (n,) and places (n, 2) of the corners in an image (height, width, 3).

        None where there are fewer than `FEWEST`, or all of them on one line.
        """
        gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        found = self._of_charuco(gray) if self._charuco else self._of_checkerboard(gray)
        if found is None or len(found[0]) < FEWEST:
            return None
        spread = np.linalg.svd(
            self._board.corners[found[0], :2] - self._board.corners[found[0], :2].mean(0)
        )
        return None if spread[1][1] < 0.5 * self._board.square else found

    def _of_charuco(self, gray: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        assert self._charuco
        places, numbers = self._charuco.detectBoard(gray)[:2]
        if numbers is None or places is None or not len(numbers):
            return None
        return numbers.ravel(), places.reshape(-1, 2).astype(np.float64)

    def _of_checkerboard(self, gray: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        size = (self._board.columns, self._board.rows)
        flags = (
            cv2.CALIB_CB_ADAPTIVE_THRESH | cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_FAST_CHECK
        )
        there, places = cv2.findChessboardCorners(gray, size, flags=flags)
        if not there:
            return None
        places = cv2.cornerSubPix(gray, places, _WINDOW, (-1, -1), _FINE).reshape(-1, 2)
        places = places.astype(np.float64)
        if _first_is_white(gray, places, size):
            places = places[::-1]
        return np.arange(len(places)), places


def _first_is_white(gray: np.ndarray, places: np.ndarray, size: tuple[int, int]) -> bool:
    """Returns True if the first square inside the corners is lighter than the one beside it.

    With an odd and an even number of corners a board upside down has the other colours: its first
    corner is the one whose inner square is dark.
    """
    grid = places.reshape(size[1], size[0], 2)
    cells = (grid[:-1, :-1] + grid[1:, 1:] + grid[:-1, 1:] + grid[1:, :-1]) / 4
    at = np.clip(np.round(cells).astype(int), 0, np.array(gray.shape[::-1]) - 1)
    shades = gray[at[..., 1], at[..., 0]].astype(float)
    even = np.add.outer(np.arange(len(shades)), np.arange(shades.shape[1])) % 2 == 0
    return bool(shades[even].mean() > shades[~even].mean())


def picture(board: Board, pixels_per_square: int = 100) -> np.ndarray:
    """The board as it is printed (height, width), with a white margin of half a square."""
    margin = pixels_per_square // 2
    if board.marker:
        size = (board.columns * pixels_per_square, board.rows * pixels_per_square)
        return np.pad(board.charuco.generateImage(size), margin, constant_values=255)
    squares = np.add.outer(np.arange(board.rows + 1), np.arange(board.columns + 1)) % 2 * 255
    large = np.kron(squares, np.ones((pixels_per_square, pixels_per_square))).astype(np.uint8)
    return np.pad(large, margin, constant_values=255)
