"""Split into train and test: from a hash and a seed, the same on every machine."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence

from beampose.core import files, instants
from beampose.core.wording import agreed, counted
from beampose.preprocess.labels import TEST, TRAIN, LabeledCrop, LabeledFrame

_BUCKETS = 2**32
# Why another share is held out than was asked for, and what to do; of folders as of videos.
_UNEVEN = {
    "image": (
        "each one's own hash decides, so that later images move none, and of so few this is "
        "chance. Another split.seed draws again; `beampose evaluate --folds 5` judges by all of "
        "them."
    ),
    "video": (
        "whole videos are, whatever they hold, each by its own hash. `split: {by: video, videos: "
        "[...]}` names those to test on, and another split.seed draws again."
    ),
    "block": (
        "they are the last of each video, and of a video of few images none is. split.by: video "
        "holds out whole ones."
    ),
}


def assign(
    items: Sequence[LabeledFrame] | Sequence[LabeledCrop],
    *,
    by: str,
    test: float,
    seed: int,
    views: Sequence[str] = (),
) -> list[str]:
    """The split of each item.

    Args:
      by: `image`, `video` (all frames of one video together), `folder` (what a crop folder
        declares as Training or Testing; for frames the folder of the image) or `block` (the last
        images of each video).
      test: share of groups held out. Each group's own hash decides, so more data moves nothing;
        except for blocks, whose border moves with every image.
      seed: another seed is another split.
      views: names of cameras; by image, what they show of one instant stays together.

    Raises:
      ValueError: the crops' folders declare no split, all data would end on one side, or no
        video is called after a view.
    """
    if by == "folder" and items and isinstance(items[0], LabeledCrop):
        declared = [item.split for item in items if isinstance(item, LabeledCrop)]
        if None in declared:
            raise ValueError(
                f"split.by is folder, but {items[declared.index(None)].image} lies in neither a "
                "Training nor a Testing folder. Use split.by: image or video."
            )
        return [split or TRAIN for split in declared]
    if by == "block":
        return _blocks(items, test)
    _check_views(items, views)
    groups = [_group(item, by, views) for item in items]
    ranks = {group: _rank(group, seed) for group in groups}
    held_out = {group for group, rank in ranks.items() if rank < test * _BUCKETS}
    if 0 < test < 1 and len(ranks) > 1:
        # A small set may fall on one side: then its lowest (highest) hash makes the other.
        if not held_out:
            held_out = {min(ranks, key=ranks.__getitem__)}
        elif len(held_out) == len(ranks):
            held_out.remove(max(ranks, key=ranks.__getitem__))
    elif 0 < test < 1 and ranks:
        raise ValueError(_only_one(items, by, next(iter(ranks))))
    return [TEST if group in held_out else TRAIN for group in groups]


def uneven(splits: Sequence[str], test: float, by: str = "image") -> str:
    """Says that many more, or many fewer, are held out than the share; empty if not.

    Each group's own hash decides, and of few groups chance may take twice as many.
    """
    count, wanted = splits.count(TEST), test * len(splits)
    if abs(count - wanted) <= max(2.0, wanted / 2):
        return ""
    return (
        f"split.test asks for {test:.0%}, and {count} of {len(splits)} images "
        f"{agreed(count, 'are')} held out: {_UNEVEN.get(by, _UNEVEN['video'])}"
    )


def undeclared(items: Sequence[LabeledFrame] | Sequence[LabeledCrop], by: str) -> str:
    """Says that crops which their folder or list keeps for testing are not kept so; else empty."""
    held_out = [i for i in items if isinstance(i, LabeledCrop) and i.split == TEST]
    if not held_out:
        return ""
    return (
        f"split.by: {by} draws from all alike, and {counted(len(held_out), 'image')} "
        f"{agreed(len(held_out), 'are')} in a folder or list of test images, such as "
        f"{held_out[0].name}: `split: {{by: folder}}` tests on those"
    )


def _check_views(items: Sequence[LabeledFrame] | Sequence[LabeledCrop], views: Sequence[str]):
    """Raises ValueError where views are named that no video has in its name."""
    films = sorted({item.video for item in items})
    if views and films and not any(instants.view_of(film, views) for film in films):
        shown = ", ".join(films[:3]) + (", …" if len(films) > 3 else "")
        raise ValueError(
            f"split.views names {', '.join(views)}, and no video is called after one of them "
            f"({shown}): name the cameras as the videos' names have them. Two views in one frame, "
            "as by a mirror, are on one side anyway: then remove split.views."
        )


def _group(item: LabeledFrame | LabeledCrop, by: str, views: Sequence[str]) -> str:
    if by == "image" and (together := instants.group(item.video, item.name, views)):
        return together
    return item.name if by == "image" else item.video


def _blocks(items: Sequence[LabeledFrame] | Sequence[LabeledCrop], test: float) -> list[str]:
    """Holds out the last images of each video, in natural order of their names."""
    videos: dict[str, list[int]] = defaultdict(list)
    for i, item in enumerate(items):
        videos[item.video].append(i)
    splits = [TRAIN] * len(items)
    for numbers in videos.values():
        numbers.sort(key=lambda i: natural(items[i].name))
        for i in numbers[len(numbers) - round(test * len(numbers)) :]:
            splits[i] = TEST
    if 0 < test < 1 and len(set(splits)) == 1:
        if len({item.name for item in items}) == 1:
            raise ValueError(_only_one(items, "block", items[0].name))
        # So few images a video that all fell on one side: the longest one gives its last (first).
        longest = max(videos.values(), key=len)
        i, other = (longest[-1], TEST) if splits[0] == TRAIN else (longest[0], TRAIN)
        splits[i] = other
    return splits


def _only_one(items: Sequence[LabeledFrame] | Sequence[LabeledCrop], by: str, name: str) -> str:
    """The words for a split of one thing."""
    if len({item.name for item in items}) == 1:
        return (
            f"Only one image is labeled ({items[0].name}), so that none can be held out. Set "
            "split.test: 0 to train without a test set, or label more."
        )
    return (
        f"split.by is {by}, but there is only one {by} ({name}), which cannot be split. Use "
        "split.by: image, or split.test: 0 to train without a test set."
    )


def named(
    items: Sequence[LabeledFrame] | Sequence[LabeledCrop], videos: Sequence[str]
) -> list[str]:
    """The split of each item: named videos are the test set.

    Args:
      videos: as the labels name them; the names of video files do as well.

    Raises:
      ValueError: there is no such video, or none is left to train on.
    """
    known = {item.video for item in items}
    held_out = {video if video in known else files.stem(video) for video in videos}
    if unknown := sorted(held_out - known):
        raise ValueError(
            f"split.videos: no image is labeled of {', '.join(unknown)}. Labeled videos: "
            f"{', '.join(sorted(known, key=natural))}."
        )
    if held_out == known:
        raise ValueError(
            f"split.videos names all labeled videos ({', '.join(sorted(known, key=natural))}): "
            "none is left to train on."
        )
    return [TEST if item.video in held_out else TRAIN for item in items]


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts img2 before img10."""
    # By how many digits: Python reads no numbers of thousands of them.
    found = [(part, part.lstrip("0")) for part in re.split(r"([0-9]+)", name)]
    return [(len(number), number) if part[:1].isdecimal() else (-1, part) for part, number in found]


def video_of_crop(name: str) -> str:
    """The video in a crop's name `<video>_<frame>_<box>.jpg`; else its whole stem."""
    found = re.fullmatch(r"(.+)_\d+_\d+", files.stem(name))
    return found.group(1) if found else files.stem(name)


def _rank(group: str, seed: int) -> int:
    return int(hashlib.sha256(f"{seed}:{group}".encode()).hexdigest()[:8], 16)
