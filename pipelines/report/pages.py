"""Pages from the templates of this folder: names and messages of strangers are escaped."""

from jinja2 import Environment, PackageLoader, select_autoescape

from beampose.core.wording import counted


def render(template: str, **values: object) -> str:
    """The text of a page.

    Args:
      template: a file of `templates/`.
    """
    loader = PackageLoader("beampose.pipelines.report", "templates")
    pages = Environment(loader=loader, autoescape=select_autoescape())
    pages.filters["counted"] = counted
    return pages.get_template(template).render(**values)
