"""Pages from the templates of this folder: names and messages of strangers are escaped."""

from jinja2 import Environment, PackageLoader, select_autoescape


def render(template: str, **values: object) -> str:
    """The text of a page.

    Args:
      template: a file of `templates/`.
    """
    loader = PackageLoader("beampose.pipelines.report", "templates")
    return (
        Environment(loader=loader, autoescape=select_autoescape())
        .get_template(template)
        .render(**values)
    )
