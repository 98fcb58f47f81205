"""Draws the demo: a mouse on a ground of stones and leaves, and where its bodyparts are."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

HEIGHT, WIDTH, FPS = 240, 320, 30
# Where each bodypart is: from the nose and from the middle, left first, in body lengths.
EAR, ASIDE = 0.27, 0.105
BODYPARTS = {"nose": (0, 0), "leftear": (EAR, ASIDE), "rightear": (EAR, -ASIDE), "tailbase": (1, 0)}
SUPERSAMPLING = 2  # Shapes are drawn this much larger and then averaged.
# Half the width of the body from the nose (0) to the base of the tail (1), in body lengths.
OUTLINE_AT = (0.0, 0.05, 0.10, 0.17, 0.25, 0.33, 0.45, 0.62, 0.78, 0.90, 0.96, 1.0)
OUTLINE = (0.016, 0.038, 0.062, 0.092, 0.108, 0.104, 0.132, 0.168, 0.172, 0.120, 0.066, 0.03)
SPINE = np.linspace(-0.05, 1.9, 196)  # From before the nose to the end of the tail.
PINK = np.array([0.74, 0.55, 0.51])

# Points of the drawing are complex, x + iy: turning is a product, and -1j * forward is to the left.
Tile = tuple[int, int, np.ndarray]  # x, y of its corner; (height, width, 4), colour times cover.


class Walk(NamedTuple):
    """A path, one point a pixel; for each frame the nose's place on it, head turn and length."""

    path: np.ndarray
    nose: np.ndarray
    yaw: np.ndarray
    length: np.ndarray


class Take(NamedTuple):
    """Constants of a film; pictures are float32 from 0 to 1, RGB."""

    seeds: tuple[int, int]
    walk: Walk
    ground: np.ndarray  # (height, width, 3)
    clutter: np.ndarray  # (n, 2), centres of the stones and leaves on it
    cover: np.ndarray  # (height, width, 4), leaves above the animal
    sun: np.ndarray  # x, y, z
    field: np.ndarray  # (height, width), how bright each place is
    dapple: np.ndarray  # larger than the image: the shadow that moves over it
    hides: dict[str, np.ndarray]


def noise(rng: np.random.Generator, height: int, width: int, cell: float) -> np.ndarray:
    """Smooth random values, about -1 to 1, that change over `cell` pixels."""
    knots = rng.uniform(-1, 1, (math.ceil(height / cell), math.ceil(width / cell) + 1))
    return cv2.resize(knots.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)


def octaves(rng: np.random.Generator, height: int, width: int, cells: Sequence[float]):
    """Noise of several sizes, the larger the stronger, -1 to 1."""
    total = sum(cell**0.5 * noise(rng, height, width, cell) for cell in cells)
    return np.clip(total / (2 * np.std(total)), -1, 1)


def moved(picture: np.ndarray, x: float, y: float) -> np.ndarray:
    """A picture moved right and down, cut to the size of the image."""
    return cv2.warpAffine(picture, np.array([[1, 0, x], [0, 1, y]]), (WIDTH, HEIGHT))


def xy(points: np.ndarray) -> np.ndarray:
    return np.stack([np.real(points), np.imag(points)], -1)


def random_path(rng: np.random.Generator, length: int) -> np.ndarray:
    """A curve from one random place of the image to the next, without sharp turns."""
    places = rng.uniform(0.1, 0.9, (length, 2)) @ np.array([WIDTH, 1j * HEIGHT])
    here, heading, turn, target, points = places[0], rng.uniform(-np.pi, np.pi), 0.0, 1, []
    for step in range(length):
        if abs(places[target] - here) < 40 or step % 250 == 249:
            target += 1
        inside = 42 < here.real < WIDTH - 42 and 42 < here.imag < HEIGHT - 42
        goal = places[target] if inside else (WIDTH + 1j * HEIGHT) / 2
        error = np.angle((goal - here) * np.exp(-1j * heading))
        turn += 0.1 * (np.clip(0.1 * error, -1 / 30, 1 / 30) - turn)
        heading += turn
        here += np.exp(1j * heading)
        points.append(here)
    return np.array(points)


def random_walk(rng: np.random.Generator, frames: int) -> Walk:
    """Walks and pauses along a path, looking left and right."""
    size = rng.uniform(72, 90)
    speed = np.clip(1.8 + 2.4 * noise(rng, 1, frames, 25)[0], 0.03, 4)
    nose = size * (SPINE[-1] + 0.3) + np.cumsum(speed)
    length = size * (1 + 0.06 * noise(rng, 1, frames, 20)[0])
    path = random_path(rng, int(nose[-1] + size))
    return Walk(path, nose, 0.55 * noise(rng, 1, frames, 14)[0], length)


def spine(walk: Walk, frame: int) -> np.ndarray:
    """Points of the animal at each place of `SPINE`: the body follows the nose, the tail swings."""
    size, nose = walk.length[frame], walk.nose[frame]
    points = np.interp(nose - SPINE * size, np.arange(len(walk.path)), walk.path)
    neck = np.interp(0.34, SPINE, points)
    points = neck + (points - neck) * np.exp(
        1j * walk.yaw[frame] * np.clip((0.34 - SPINE) / 0.15, 0, 1)
    )
    wave = np.sin(5 * SPINE - nose / 22) * np.clip(SPINE - 1, 0, 1) * 0.12
    return points + wave * size * 1j * np.exp(1j * np.angle(np.gradient(points)))


def beside(points: np.ndarray, size: float, at: float, aside: float) -> complex:
    """A place beside the spine, on the animal's left if `aside` is positive."""
    ahead, here, behind = np.interp([at - 0.02, at, at + 0.02], SPINE, points)
    return here - 1j * aside * size * (ahead - behind) / abs(ahead - behind)


def keypoints(walk: Walk, frame: int) -> np.ndarray:
    """Positions of the bodyparts, (4, 2), visible or not."""
    points, size = spine(walk, frame), walk.length[frame]
    places = np.array([beside(points, size, *place) for place in BODYPARTS.values()])
    return xy(places).round(3)


def sweep(points: np.ndarray, radii: np.ndarray, height: int, width: int) -> list[np.ndarray]:
    """A ball moved along points: height at each pixel (0 = outside), place along, place across."""
    top, nearest = np.zeros((height, width), np.float32), np.zeros((height, width), np.intp)
    y, x = (axis.astype(np.float32) for axis in np.ogrid[0.5:height, 0.5:width])
    points, radii = points.astype(np.complex64), radii.astype(np.float32)
    for i, ((px, py), r) in enumerate(zip(xy(points).tolist(), radii.tolist(), strict=True)):
        rows, columns = (slice(int(p - r), int(p + r) + 2) for p in (py, px))
        square = (r * r - (y[rows] - py) ** 2) - (x[:, columns] - px) ** 2
        higher = square > top[rows, columns]
        np.copyto(top[rows, columns], square, where=higher)
        nearest[rows, columns][higher] = i
    forward = np.exp(1j * np.angle(np.gradient(points))) if len(points) > 1 else np.ones(1)
    offset = (x + 1j * y - points[nearest]) * forward.conj()[nearest]
    along = nearest / max(len(points) - 1, 1) + offset.real / (abs(np.diff(points)).sum() + 1)
    across = 0.5 + offset.imag / (2 * radii[nearest])
    return [np.sqrt(top), along.astype(np.float32), across]


def tube(points: np.ndarray, radii, hide: np.ndarray, sun: np.ndarray, flat: float = 1.0) -> Tile:
    """A lit shape around a curve; `hide` (across, along, 3) is its colour, unrolled."""
    radii = np.broadcast_to(radii, points.shape)
    x, y = np.floor((xy(points) - radii[:, None]).min(0)).astype(int) - 1
    width, height = np.ceil((xy(points) + radii[:, None]).max(0)).astype(int) + 2 - (x, y)
    local, scale = points - (x + 1j * y), SUPERSAMPLING
    shape = sweep(local * scale, radii * scale, height * scale, width * scale)
    slope_y, slope_x = np.gradient(shape[0] * flat)
    facing = sun[2] - slope_x * sun[0] - slope_y * sun[1]
    light = 0.5 + 0.62 * np.maximum(facing / np.sqrt(1 + slope_x**2 + slope_y**2), 0)
    rows, columns = hide.shape[:2]
    places = shape[1] * (columns - 1), shape[2] * (rows - 1)
    color = cv2.remap(hide, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    rgba = np.dstack([color * light[..., None], np.ones_like(light)]) * (shape[0] > 0)[..., None]
    rgba = rgba.astype(np.float32)
    return x, y, cv2.resize(rgba, (width, height), interpolation=cv2.INTER_AREA)


def layer(tiles: Sequence[Tile]) -> np.ndarray:
    """Tiles over each other on a clear sheet (height, width, 4)."""
    sheet = np.zeros((HEIGHT, WIDTH, 4), np.float32)
    for x, y, rgba in tiles:
        left, top = max(x, 0), max(y, 0)
        part = rgba[top - y : max(HEIGHT - y, 0), left - x : max(WIDTH - x, 0)]
        under = sheet[top : top + part.shape[0], left : left + part.shape[1]]
        under *= 1 - part[..., 3:]
        under += part
    return sheet


def lay(image: np.ndarray, sheet: np.ndarray, sun: np.ndarray, lift: float) -> np.ndarray:
    """An image with a sheet and its soft shadow on it; `lift` is the height over the ground."""
    shadow = moved(sheet[..., 3], -sun[0] * lift, -sun[1] * lift)
    shadow = cv2.GaussianBlur(shadow, (0, 0), 0.8 + lift / 4)
    return image * ((1 - 0.55 * shadow) * (1 - sheet[..., 3]))[..., None] + sheet[..., :3]


def soil(rng: np.random.Generator) -> np.ndarray:
    """Bare ground, from sand to moss."""
    light = np.array([0.74, 0.68, 0.59]) + rng.uniform(-0.05, 0.05, 3)
    dark = light * rng.uniform(0.75, 0.85) + rng.uniform(-0.02, 0.02, 3)
    mix = 0.5 + 0.5 * octaves(rng, HEIGHT, WIDTH, (90, 40, 18, 8, 4, 2))[..., None]
    green = np.clip(octaves(rng, HEIGHT, WIDTH, (110, 50, 20, 6)), 0, 1)[..., None] * 0.4
    moss = light * (0.72, 0.92, 0.60) * (0.6 + 0.5 * mix)
    image = (light * mix + dark * (1 - mix)) * (1 - green) + moss * green
    return (image * (1 + 0.06 * noise(rng, HEIGHT, WIDTH, 1.3))[..., None]).astype(np.float32)


def stone(rng: np.random.Generator, center: complex, size: float, sun: np.ndarray) -> Tile:
    """A lump as grey and brown as the animal."""
    at = np.linspace(-1, 1, 15)
    points = at * size * rng.uniform(0.2, 1.0) * np.exp(1j * rng.uniform(0, np.pi))
    points = points + 1j * points * (at * rng.uniform(-0.4, 0.4)) + center
    radii = size * (0.72 - 0.28 * at**2) * (1 + 0.12 * noise(rng, 1, 15, 6)[0])
    grain = 1 + 0.22 * octaves(rng, 48, 64, (24, 10, 4, 2))[..., None]
    color = np.array([0.54, 0.48, 0.42]) * rng.uniform(0.65, 1.25) + rng.uniform(-0.03, 0.03, 3)
    return tube(points, radii, (color * grain).astype(np.float32), sun, 0.7)


def leaf(rng: np.random.Generator, center: complex, size: float, sun: np.ndarray) -> Tile:
    """A bent leaf with a rib and veins, dry or green."""
    at = np.linspace(-1, 1, 40)
    way = (at + 1j * rng.uniform(-0.35, 0.35) * at**2) * np.exp(1j * rng.uniform(0, 2 * np.pi))
    radii = size * (0.03 + rng.uniform(0.28, 0.42) * (1 - at**2) ** 0.9 * (1 - 0.25 * at))
    across, along = np.mgrid[-1:1:64j, 0:1:128j]
    tone = 0.9 + 0.16 * octaves(rng, 64, 128, (40, 12, 4)) + 0.3 * np.exp(-((across / 0.07) ** 2))
    tone += 0.12 * np.exp(-(((along * 9 - abs(across) * 2.5) % 1 - 0.5) ** 2) / 0.02)
    green = rng.choice([rng.uniform(0, 0.3), rng.uniform(0.6, 1)])
    color = np.array([0.60, 0.44, 0.26]) * (1 - green) + np.array([0.39, 0.48, 0.23]) * green
    color = color * rng.uniform(0.8, 1.15) * tone[..., None]
    return tube(center + size * way, radii, color.astype(np.float32), sun, 0.35)


def scatter(
    rng: np.random.Generator, image: np.ndarray, sun: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The ground with pebbles, stones and leaves on it, and the centres of the larger ones."""
    centers = rng.uniform(0, 1, (76, 2)) * (WIDTH, HEIGHT)
    places = centers @ np.array([1, 1j])
    pebbles = [stone(rng, place, rng.uniform(1, 3.5), sun) for place in places[16:]]
    image = lay(image, layer(pebbles), sun, 1.5)
    for place in places[:8]:
        image = lay(image, layer([stone(rng, place, rng.uniform(6, 17), sun)]), sun, 5)
    for place in places[8:14]:
        image = lay(image, layer([leaf(rng, place, rng.uniform(12, 24), sun)]), sun, 2.5)
    return image, centers[:16]


def random_hides(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Colours of an animal: a dark back, paler sides, hairs along the body; both ears are alike."""
    rows, columns = 96, 256
    hairs = cv2.resize(noise(rng, rows, columns // 6, 1.2), (columns, rows)) * 0.22
    tone = 0.86 + 0.30 * np.linspace(-1, 1, rows)[:, None] ** 2 + hairs
    tone += 0.10 * octaves(rng, rows, columns, (60, 25, 10))
    color = np.array([0.20, 0.17, 0.15]) * rng.uniform(0.8, 1.2) + rng.uniform(-0.01, 0.01, 3)
    snout = np.clip(1 - np.arange(columns) / 9, 0, 1)[:, None] ** 0.5
    body = color * tone[..., None] * (1 - snout) + PINK * snout
    ear = 0.45 * color + 0.5 * PINK
    tail = PINK * 0.85 * (1 + 0.1 * noise(rng, 1, 90, 2)[..., None])
    inner, eye = ear * (0.82, 0.66, 0.64), np.full(3, 0.05)
    found = {"body": body, "tail": tail, "ear": ear, "inner": inner, "paw": PINK, "eye": eye}
    return {name: np.array(hide, np.float32, ndmin=3) for name, hide in found.items()}


def animal(take: Take, frame: int) -> list[Tile]:
    """The parts of the animal, from the lowest to the highest."""
    points, size, nose = spine(take.walk, frame), take.walk.length[frame], take.walk.nose[frame]

    def dot(hide: str, at: float, aside: float, radius: float, flat: float = 0.5) -> Tile:
        place = np.array([beside(points, size, at, aside)])
        return tube(place, radius * size, take.hides[hide], take.sun, flat)

    def part(hide: str, at: np.ndarray, radii: np.ndarray) -> Tile:
        return tube(np.interp(at, SPINE, points), radii * size, take.hides[hide], take.sun, 0.8)

    step = 0.055 * math.sin(nose / size * 11)
    paws = [
        dot("paw", at + side * step + shift, side * aside, 0.034)
        for at, aside, step in ((0.38, 0.13, step), (0.81, 0.17, -step))
        for side in (1, -1)
        for shift in (0, 0.03)
    ]
    tail = part("tail", np.linspace(0.97, 1.87, 70), np.linspace(0.030, 0.009, 70))
    at = np.linspace(0.016, 0.985, 45)
    body = part("body", at, np.interp(at, OUTLINE_AT, OUTLINE))
    head = [dot("eye", 0.135, side * 0.066, 0.017) for side in (1, -1)]
    for aside in (ASIDE, -ASIDE):
        head += [dot("ear", EAR, aside, 0.070), dot("inner", EAR, aside, 0.046, -0.4)]
    return [*paws, tail, body, *head]


def make_take(number: int, seed: int, frames: int, *, place: int | None = None) -> Take:
    """A take: the same numbers and seed give the same one.

    Takes of one `place` share the ground, the light and the animal, as films of one arena do; a
    take without one has its own.
    """
    rng = np.random.default_rng([seed, number if place is None else place])
    walk = random_walk(np.random.default_rng([seed, number, 1]), frames)
    angle = rng.uniform(0, 2 * np.pi)
    sun = np.array([0.6 * math.cos(angle), 0.6 * math.sin(angle), 0.8], np.float32)
    ground, centers = scatter(rng, soil(rng), sun)
    above = rng.uniform(0.2, 0.8, 2) * WIDTH + 1j * rng.uniform(0.2, 0.8, 2) * HEIGHT
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    field = (1 + 0.27 * (x * sun[0] + y * sun[1]) - 0.08 * (x**2 + y**2)) * rng.uniform(1.05, 1.3)
    return Take(
        seeds=(seed, number),
        walk=walk,
        ground=ground,
        clutter=centers,
        cover=layer([leaf(rng, place, rng.uniform(17, 24), sun) for place in above]),
        sun=sun,
        field=field.astype(np.float32),
        dapple=np.clip(1.3 * noise(rng, HEIGHT + 120, WIDTH + 120, 75) - 0.1, 0, 1),
        hides=random_hides(rng),
    )


def render(take: Take, frame: int, *, empty: bool = False) -> np.ndarray:
    """A frame as a camera sees it, uint8 (height, width, 3); without the animal if `empty`."""
    rng = np.random.default_rng([*take.seeds, frame])
    image = take.ground if empty else lay(take.ground, layer(animal(take, frame)), take.sun, 6)
    image = lay(image, take.cover, take.sun, 14)
    x, y = 60 + 55 * np.sin(frame / 55 + take.seeds[1] * np.array([1, 2]))
    light = take.field * (1 - 0.35 * moved(take.dapple, -x, -y)) * np.float32(rng.normal(1, 0.012))
    image = cv2.GaussianBlur(image.astype(np.float32) * light[..., None], (0, 0), 0.5)
    image += rng.standard_normal(image.shape, np.float32) * (0.006 + 0.012 * image)
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)


def seen(take: Take, frame: int) -> np.ndarray:
    """Keypoints (4, 2); NaN where a leaf hides one or it is outside the image."""
    points = keypoints(take.walk, frame)
    x, y = np.floor(points).astype(int).T
    inside = (x >= 0) & (x < WIDTH) & (y >= 0) & (y < HEIGHT)
    hidden = take.cover[y.clip(0, HEIGHT - 1), x.clip(0, WIDTH - 1), 3] > 0.5
    return np.where((inside & ~hidden)[:, None], points, np.nan)
