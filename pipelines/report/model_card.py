"""The card of a model: what it is, what it was made from, how well it does, what to beware of."""

from beampose.core.infos import Metrics, ModelInfo
from beampose.core.wording import counted


def text(info: ModelInfo, metrics: Metrics) -> str:
    """Markdown from a model's info.json and metrics.json."""
    recipe = info.recipe
    lines = [f"# {info.project}: {info.task}", ""]
    if metrics.note:
        lines += [f"**{metrics.note}**", ""]
    lines += [
        f"- Made by {info.made_by}; head on frozen {recipe.backbone} features "
        f"({info.weights}, digest {recipe.weights_digest[:12]}).",
        f"- Trained on {counted(metrics.split['train'], 'labeled image')}, judged on "
        f"{metrics.split['test']} held out ({info.split}). Labels by {info.scorer}.",
        f"- Names: {', '.join(info.bodyparts or info.classes)}.",
        "",
        "| held-out figure | |",
        "|---|---|",
        *[
            f"| {name} | {value:.4g} |"
            for name, value in metrics.test.plain().items()
            if isinstance(value, (int, float)) and not isinstance(value, bool)
        ],
        "",
    ]
    if info.uncertainty:
        radius = info.uncertainty.radius_px
        lines += ["| bodypart | 90 % of errors are below, px |", "|---|---|"]
        lines += [f"| {name} | {value:.1f} |" for name, value in radius.items()] + [""]
    lines += [
        "Held-out images come from the same videos as the training images unless the split says "
        "otherwise; on other animals, cameras and light expect more. The model finds what it was "
        "trained on in every image, also where there is none: use the likelihood.",
        "",
    ]
    return "\n".join(lines)
