"""The routes of the page for sorting crops; who may ask is as for the labeling page."""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from beampose.pipelines.label.crop_desk import CropDesk
from beampose.pipelines.label.gate import Gate
from beampose.pipelines.label.server import file_of, got, posted, text_of

START = "crops.html"


def application(desk: CropDesk, token: str, hosts: frozenset[str] | None) -> ASGIApp:
    """The page and what it asks for, as ASGI."""
    answers: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
        "state": lambda said: desk.state(text_of(said, "page"), take=said.get("take") is True),
        "marks": lambda said: desk.mark(
            text_of(said, "page"), said["marks"], text_of(said, "of") if "of" in said else ""
        ),
        "apply": lambda said: desk.apply(text_of(said, "page")),
        "leave": lambda said: desk.pen.release(text_of(said, "page")),
    }
    routes = [
        Route("/api/crops", got(lambda query: desk.project())),
        Route("/api/groups", got(lambda query: desk.groups())),
        Route("/api/marked", got(lambda query: desk.marked(query["class"]))),
        *(Route(f"/api/{name}", posted(one), methods=["POST"]) for name, one in answers.items()),
        Route("/crop", got(lambda query: _jpeg(desk.picture(int(query["number"]))))),
        Route("/{name:path}", file_of(START)),
    ]
    return Gate(Starlette(routes=routes), token, hosts)


def _jpeg(data: bytes) -> Response:
    return Response(
        data, media_type="image/jpeg", headers={"cache-control": "private, max-age=86400"}
    )
