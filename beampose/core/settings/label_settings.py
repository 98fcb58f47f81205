"""Sections of an experiment: its labels, and how they are split."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from beampose.core import format_names, task_kinds
from beampose.core.settings.section import PATH, Section, Share, setting

# Formats of this package whose labels nobody signs.
_UNSIGNED = {*format_names.OWN} - {"deeplabcut"}


class _KnownFormat:
    """Lists the names of formats in a JSON schema, those of other packages too."""

    def __get_pydantic_json_schema__(self, *_: Any) -> dict[str, Any]:
        return {"type": "string", "enum": list(format_names.known())}


def _known(name: str) -> str:
    if name not in format_names.OWN and name not in format_names.added():
        raise ValueError(f"must be one of {', '.join(format_names.known())}")
    return name


Format = Annotated[str, AfterValidator(_known), _KnownFormat()]


class Source(Section):
    """Source of the labels: docs/labels.md."""

    format: Format = Field(description="Format of the labels.")
    path: Annotated[str, PATH] = Field(description="A project, a folder or a file.")
    scorer: str | list[str] | None = setting(
        None, "Scorers to use in a DeepLabCut project; unset: the project's scorer."
    )
    combine: Literal["mean", "first"] | None = setting(
        None,
        "Combination of several scorers: the mean of those who labeled a point (unset means "
        "that), or the first of the list who did.",
    )
    bodyparts: list[str] | None = setting(None, "Bodyparts to learn; unset: all.")
    empty: Literal["skip", "negatives"] = setting(
        "skip",
        "Images without any label: not used, or `negatives` in which a model learns to find no "
        "animal.",
    )
    max_rejects: Share = setting(0.5, "Share of labels that may be rejected before the job fails.")

    @model_validator(mode="after")
    def _check(self) -> "Source":
        if self.scorer is not None and self.format in _UNSIGNED:
            raise ValueError(f"source.scorer does not apply to format {self.format!r}.")
        if self.bodyparts is not None and self.format in task_kinds.CROPS.formats:
            raise ValueError(f"source.bodyparts does not apply to format {self.format!r}.")
        if self.empty != "skip" and self.format in task_kinds.CROPS.formats:
            raise ValueError(f"source.empty does not apply to format {self.format!r}.")
        if self.combine is not None and not isinstance(self.scorer, list):
            raise ValueError(
                "source.combine says how several scorers become one: name them in "
                f"source.scorer: [A, B]. Received: {self.scorer!r}."
            )
        return self


class Split(Section):
    """Split of the labeled images into train and test."""

    by: Literal["image", "video", "folder", "block"] = setting(
        "image", "Unit that is held out together."
    )
    test: Share = setting(0.2, "Share of the images that is held out.")
    seed: int = setting(0, "Seed of the random choice.", ge=0, le=2**32 - 1)
    videos: list[str] | None = setting(
        None, "With `by: video`, the videos that are the test set, by name.", min_length=1
    )
    views: list[str] | None = setting(
        None,
        "Names of cameras, as the videos' names have them: with `by: image`, images of one instant "
        "in several views stay on one side.",
        min_length=2,
    )
    test_from: Annotated[str | None, PATH] = setting(
        None,
        "A second project whose labels are the test set: its folder or file, or the experiment "
        "file that names it. All of the source is trained on.",
    )
    from_: Annotated[str | None, PATH] = setting(
        None,
        "A DeepLabCut shuffle whose split is used: its Documentation_data file, or the "
        "folder or metadata.yaml of a training set.",
        alias="from",
    )
    shuffle: int | None = setting(
        None, "Number of the shuffle in that training set.", ge=0, le=1_000_000
    )

    @model_validator(mode="after")
    def _check(self) -> "Split":
        if self.shuffle is not None and self.from_ is None:
            raise ValueError(
                "split.shuffle is the number of a shuffle in split.from, which is unset."
            )
        if self.videos is not None and self.by != "video":
            raise ValueError(
                f"split.videos names videos to test on: set split.by: video. Received: {self.by!r}."
            )
        if self.views is not None and self.by != "image":
            raise ValueError(
                "split.views keeps images of one instant together, which only split.by: image "
                f"would separate. Received: {self.by!r}; remove one of them."
            )
        self._check_one_way()
        return self

    def _check_one_way(self) -> None:
        """Refuses settings that have no effect, because another one says all of the split."""
        ways = {"test_from": self.test_from, "from": self.from_, "videos": self.videos}
        chosen = next((name for name, value in ways.items() if value is not None), None)
        fields = type(self).model_fields
        others = {name: value for name, value in ways.items() if name != chosen}
        if chosen != "from":
            others["test"] = None if self.test == fields["test"].default else self.test
        if chosen == "test_from":
            others["by"] = None if self.by == fields["by"].default else self.by
        others["views"] = self.views
        left = next((name for name, value in others.items() if value is not None), None)
        if chosen and left:
            raise ValueError(
                f"split.{chosen} says which images are the test set, so that split.{left} has no "
                f"effect: remove one of them. Received: {others[left]!r}."
            )
