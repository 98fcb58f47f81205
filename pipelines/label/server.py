"""The local web server of the labeling page: its routes, and who may ask.

Every address begins with a token that only the person who started it knows: without it there is
nothing. Requests of other sites' pages, or under a foreign name of this machine, are refused. A
page names frames by their place in the project's list, never by a path.
"""

import functools
import importlib.resources
from collections.abc import Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from beampose.core import files
from beampose.pipelines.label.desk import Desk, Picture, Reading, ShownFilm
from beampose.pipelines.label.gate import Gate
from beampose.pipelines.label.shown_frames import THUMBNAIL, Part

# Sides of a picture: no screen has more.
_WIDEST = 8192
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def application(desk: Desk, token: str, hosts: frozenset[str] | None) -> ASGIApp:
    """The page and what it asks for, as ASGI."""
    answers: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
        "state": lambda said: desk.state(_reading(said)),
        "changes": lambda said: desk.change(
            text_of(said, "page"), said["changes"], text_of({"of": "", **said}, "of")
        ),
        "more": lambda said: _more(desk, said),
        "correct": lambda said: desk.correct(
            text_of(said, "page"), _shown(said), _object(said, "correction")
        ),
        "label": lambda said: desk.label_predicted(
            text_of(said, "page"), _shown(said), int(said["row"])
        ),
        "run": lambda said: desk.start_run(text_of(said, "page")),
        "stop": lambda said: desk.run.stop(),
        "leave": lambda said: desk.pen.release(text_of(said, "page")),
    }
    routes = [
        Route("/api/project", got(lambda query: desk.project())),
        Route("/api/predicted", got(lambda query: desk.predicted_films())),
        Route("/api/timeline", got(lambda q: desk.proofreads.of(q["film"]).summary())),
        Route(
            "/api/rows",
            got(lambda q: desk.proofreads.of(q["film"]).rows(int(q["start"]), int(q["stop"]))),
        ),
        Route(
            "/predicted",
            _picture(lambda q, part: desk.predicted_picture(q["film"], int(q["number"]), part)),
        ),
        Route("/api/film", got(lambda query: desk.film(query["folder"]))),
        *(Route(f"/api/{name}", posted(one), methods=["POST"]) for name, one in answers.items()),
        Route("/frame", _picture(lambda query, part: desk.picture(query["key"], part))),
        Route("/thumbnail", _picture(lambda query, _: desk.picture(query["key"], _SMALL))),
        Route(
            "/film",
            _picture(lambda q, part: desk.film_picture(q["folder"], int(q["number"]), part)),
        ),
        Route("/{name:path}", file_of("index.html")),
    ]
    return Gate(Starlette(routes=routes), token, hosts)


_SMALL = Part(*THUMBNAIL)


def _more(desk: Desk, said: Mapping[str, Any]) -> Any:
    number = said.get("number")
    if number is not None and type(number) is not int:
        raise ValueError("number must be that of a frame.")
    folder = str(said.get("folder") or "")
    added = desk.more(text_of(said, "page"), int(said.get("count") or 0), folder, number)
    return {"added": added}


def _shown(said: Mapping[str, Any]) -> ShownFilm:
    made = said.get("made")
    return ShownFilm(
        text_of(said, "film"),
        text_of({"of": "", **said}, "of"),
        made if type(made) is int else None,
    )


def _reading(said: Mapping[str, Any]) -> Reading:
    version = said.get("version")
    return Reading(
        text_of(said, "page"),
        version if type(version) is int else 0,
        str(said.get("frame") or ""),
        said.get("take") is True,
    )


def _object(said: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = said[key]
    if not isinstance(found, dict):
        raise ValueError(f"{key} must be an object.")
    return found


def text_of(said: Mapping[str, Any], key: str) -> str:
    """A short text. Raises KeyError, ValueError: there is none."""
    found = said[key]
    if not isinstance(found, str) or len(found) > 200:
        raise ValueError(f"{key} must be a short text.")
    return found


def got(answer: Callable[[Mapping[str, str]], Any]) -> Callable:
    """Answers a GET by the values in its address."""

    async def respond(request: Request) -> Response:
        return await run_in_threadpool(answered, lambda: answer(request.query_params))

    return respond


def posted(answer: Callable[[Mapping[str, Any]], Any]) -> Callable:
    """Answers a POST by the object in its body."""

    async def respond(request: Request) -> Response:
        # A form of another site cannot send this type without asking first.
        if request.headers.get("content-type", "").split(";")[0] != "application/json":
            return _error("The body must be JSON.", 415)
        try:
            said = await request.json()
        except (ValueError, RecursionError):
            return _error("The body is no JSON.", 400)
        if not isinstance(said, dict):
            return _error("The body must be an object.", 400)
        return await run_in_threadpool(answered, lambda: answer(said))

    return respond


def _picture(draw: Callable[[Mapping[str, str], Part], Picture]) -> Callable:
    async def respond(request: Request) -> Response:
        def answer() -> Response:
            found = draw(request.query_params, _part(request.query_params))
            headers = {
                "cache-control": "private, max-age=86400",
                "x-width": str(found.width),
                "x-height": str(found.height),
            }
            return Response(found.jpeg, media_type="image/jpeg", headers=headers)

        return await run_in_threadpool(answered, answer)

    return respond


def _part(query: Mapping[str, str]) -> Part:
    def number(name: str, default: float) -> float:
        found = float(query.get(name) or default)
        if not 0 <= found <= 1e6:
            raise ValueError(f"{name} must be a number of pixels.")
        return found

    width, height = (min(int(number(n, 1920)), _WIDEST) for n in ("width", "height"))
    rest = (number(name, 0) for name in ("x", "y", "columns", "rows"))
    return Part(max(width, 1), max(height, 1), *rest)


def answered(answer: Callable[[], Any]) -> Response:
    """The answer as JSON, or what went wrong in a sentence."""
    try:
        found = answer()
    except KeyError as error:
        return _error(f"There is no {str(error)[:200]} here.", 404)
    except PermissionError as error:
        return _error(files.why(error), 409)
    except OSError as error:
        return _error(files.why(error), 507)
    except (ValueError, TypeError, IndexError, ArithmeticError) as error:
        # Numbers that are too large are an OverflowError.
        return _error(str(error), 400)
    return found if isinstance(found, Response) else JSONResponse(found or {})


def _error(text: str, status: int) -> Response:
    return JSONResponse({"error": text}, status)


@functools.cache
def _page() -> Mapping[str, bytes]:
    """All files of the page by their names."""
    folder = importlib.resources.files("beampose.pipelines.label").joinpath("page")
    return {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()}


def file_of(start: str) -> Callable:
    """Answers with a file of the page, by its name; `start` where none is named."""

    async def respond(request: Request) -> Response:
        name = request.path_params["name"] or start
        data = _page().get(name)
        kind = _TYPES.get(files.suffix(name))
        if data is None or kind is None:
            return PlainTextResponse("There is no such page.\n", 404)
        return Response(data, media_type=kind, headers={"cache-control": "no-cache"})

    return respond
