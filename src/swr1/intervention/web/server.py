"""The page's server: on 127.0.0.1, under a random token, for pages of its own alone.

A request is refused unless it names this very host and port (a name that somebody made resolve to
127.0.0.1 is another), and a request that changes something unless it comes from this origin. Nothing
is loaded from anywhere else, and the browser is told to refuse it (Content-Security-Policy).
"""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Iterator
from importlib import resources
from typing import Any

import orjson

from swr1.errors import DataError, SwrError, UsageError
from swr1.intervention.config import InterveneConfig
from swr1.intervention.difference import difference
from swr1.intervention.exporting import EXPORTS
from swr1.intervention.history import State
from swr1.intervention.journal import Key
from swr1.intervention.session import Changed, Session
from swr1.intervention.web.views import offered, page, row
from swr1.records import pack

HOST = "127.0.0.1"
MOST = 16 * 2**20  # bytes of a request
ASSETS = {"": ("page.html", "text/html"), "page.js": ("page.js", "text/javascript")}
ASSETS["page.css"] = ("page.css", "text/css")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}


def serve(session: Session, config: InterveneConfig) -> None:
    """Serve the page until the process is ended. Raises SwrError for a port that is taken."""
    server, url = open_server(session, config)
    session.write()
    session.say(f"the page is at {url} (Ctrl-C ends it)")
    with server:
        server.serve_forever()


def open_server(session: Session, config: InterveneConfig) -> tuple[Any, str]:
    """A server that listens, and the page's address."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log_request(self, *args: Any, **more: Any) -> None:
            """The address has the token: it is written nowhere."""

    token = secrets.token_urlsafe(24)
    app = make_app(session, config, token)
    try:
        server = make_server(HOST, config.port, app, threaded=True, request_handler=Quiet)
    except (OSError, SystemExit):  # werkzeug prints why, and leaves
        raise SwrError(f"port {config.port} of {HOST} cannot be had: name another --port") from None
    app.config["PORT"] = server.port
    return server, f"http://{HOST}:{server.port}/{token}/"


def make_app(session: Session, config: InterveneConfig, token: str) -> Any:
    """The page as a Flask application; its config's PORT is to be set to the one it is served on."""
    from flask import Flask

    app = Flask("swr1", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MOST
    views, base = _Views(session), f"/{token}"
    app.before_request(lambda: _check(app.config["PORT"], token))
    app.after_request(_guarded)
    app.register_error_handler(SwrError, views.refused)
    app.register_error_handler(Exception, views.failed)
    app.add_url_rule(f"{base}/", view_func=views.asset, endpoint="page")
    app.add_url_rule(f"{base}/<name>", view_func=views.asset)
    app.add_url_rule(f"{base}/api/records", view_func=views.listed)
    app.add_url_rule(f"{base}/api/records/<int:number>", view_func=views.one)
    changing = {"edit": views.change, "continue": views.go_on, "undo": views.undo}
    for name, view in changing.items():
        rule = f"{base}/api/records/<int:number>/{name}"
        app.add_url_rule(rule, endpoint=name, view_func=view, methods=["POST"])
    app.add_url_rule(f"{base}/api/export/<kind>", view_func=views.export)
    return app


def _check(port: int, token: str) -> None:
    """Refuse what does not name this host, port and token, and changes from another origin."""
    from flask import abort, request

    own = {f"{host}:{port}" for host in (HOST, "localhost")}
    if request.host not in own:
        abort(403, "this page is for this machine alone")
    parts = request.path.split("/", 2)
    if len(parts) < 3 or not hmac.compare_digest(parts[1].encode(), token.encode()):
        abort(404)
    if request.method == "GET":
        return
    if request.headers.get("Origin") not in {f"http://{host}" for host in own}:
        abort(403, "another page may not change anything here")
    if request.mimetype != "application/json":
        abort(415, "JSON is what is taken here")


def _guarded(response: Any) -> Any:
    response.headers.update(HEADERS)
    return response


def _answer(made: Any, code: int = 200) -> Any:
    from flask import Response

    return Response(pack(made), code, mimetype="application/json")


class _Views:
    """What the page asks for."""

    def __init__(self, session: Session) -> None:
        self.session, self.keys = session, [*session.records]
        self.writing = threading.Lock()  # the policy goes on from one edit at a time

    def refused(self, error: SwrError) -> Any:
        return _answer({"error": str(error)}, 409 if isinstance(error, Changed) else 422)

    def failed(self, error: Exception) -> Any:
        code = getattr(error, "code", None)
        said: Any = getattr(error, "description", None)
        if not isinstance(code, int):
            self.session.say(f"the page's request failed: {type(error).__name__}: {error}")
            code, said = 500, None
        return _answer({"error": said or f"it failed: {type(error).__name__}"}, code)

    def asset(self, name: str = "") -> Any:
        from flask import Response, abort

        if name not in ASSETS:
            abort(404)
        file, kind = ASSETS[name]
        text = resources.files("swr1.data").joinpath("intervene", file).read_text("utf-8")
        return Response(text, mimetype=kind)

    def of(self, number: int) -> Key:
        from flask import abort

        if number >= len(self.keys):
            abort(404)
        return self.keys[number]

    def listed(self) -> Any:
        rows = [row(number, state) for number, state in enumerate(self.session.states())]
        return _answer({"records": rows})

    def one(self, number: int) -> Any:
        return self.page(number, self.session.state(self.of(number)))

    def page(self, number: int, state: State) -> Any:
        offers = self.session.offers(self.of(number))
        return _answer(page(number, state) | {"offers": offered(state, offers)})

    def change(self, number: int) -> Any:
        given = _given({"digest": str, "text": str, "to_end": bool, "why": str, "from": str})
        session, of = self.session, self.of(number)
        state = session.state(of)
        if state.digest != given["digest"]:
            raise Changed(
                "this completion was changed meanwhile, by somebody else or in another window:"
                " nothing is stored. Look at it again"
            )
        taken, why = given["from"], given["why"]
        offer = session.offered(of, taken) if taken else None
        change = offer.change if offer and offer.place else difference
        made = change(state.text, given["text"], given["to_end"])
        if made is None:
            raise UsageError("nothing was changed")
        if offer:
            here = offer.is_in(made.edited(state.text), state.text)  # else it is another edit
            taken, why = (offer.name, why or offer.edit.get("why", "")) if here else ("", why)
        with self.writing:
            session.check(of, made)
        return self.page(number, session.store(of, given["digest"], made, why, taken))

    def go_on(self, number: int) -> Any:
        with self.writing:
            return self.page(number, self.session.go_on(self.of(number)))

    def undo(self, number: int) -> Any:
        given = _given({"digest": str})
        return self.page(number, self.session.undo(self.of(number), given["digest"]))

    def export(self, kind: str) -> Any:
        from flask import Response, abort

        if kind not in EXPORTS:
            abort(404)
        name = f"attachment; filename={kind}.jsonl"
        lines = b"".join(_exported(self.session, kind))
        return Response(lines, mimetype="application/jsonl", headers={"Content-Disposition": name})


def _exported(session: Session, kind: str) -> Iterator[bytes]:
    for record in session.results():
        for made in EXPORTS[kind](record, None):
            yield pack(made, orjson.OPT_APPEND_NEWLINE)


def _given(fields: dict[str, type]) -> dict[str, Any]:
    """The fields of this request. Raises DataError for any other."""
    from flask import request

    try:
        given = orjson.loads(request.get_data())
    except ValueError:
        given = None
    if not isinstance(given, dict) or {n: type(v) for n, v in given.items()} != fields:
        raise DataError(f"a request has {', '.join(fields)}")
    return given
