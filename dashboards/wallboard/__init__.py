"""The wallboard: live queues on one page, without Grafana, from the worker's own web server.

`routes` gives `/wallboard` (a page that loads nothing from elsewhere), its script and style, and
`/wallboard/queues.json`, which the page asks once a second. Reads the package's own files, and
whatever it is given to ask; what many viewers ask in one second is asked once.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from importlib import resources
from typing import Any, Final

import msgspec
from aiohttp import web

Queues = Callable[[str], Awaitable[list[dict[str, Any]] | None]]
"""The queues of a tenant (`sinks.live.queues_now`); None while they cannot be known."""

FRESH_SECONDS: Final = 0.9
_encode: Final = msgspec.json.Encoder().encode
_FILES: Final = {
    "/wallboard": ("page.html", "text/html"),
    "/wallboard/wallboard.js": ("wallboard.js", "text/javascript"),
    "/wallboard/wallboard.css": ("wallboard.css", "text/css"),
}
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def routes(queues: Queues, tenant: str) -> list[web.RouteDef]:
    """The wallboard's routes; `tenant` is shown where the address names none (`?tenant=`)."""
    answers = _Answers(queues)

    async def live(request: web.Request) -> web.Response:
        body = await answers.of(request.query.get("tenant", tenant))
        if body is None:
            return web.Response(status=503, text="the store does not answer\n", headers=_HEADERS)
        return web.Response(body=body, content_type="application/json", headers=_HEADERS)

    return [
        *(web.get(path, _file(*file)) for path, file in _FILES.items()),
        web.get("/wallboard/queues.json", live),
    ]


def _file(name: str, kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=text, content_type=kind, charset="utf-8", headers=_HEADERS)

    return answer


class _Answers:
    """The last answer of each tenant, asked anew when it is no longer fresh."""

    def __init__(self, queues: Queues) -> None:
        self._queues = queues
        self._asking = asyncio.Lock()
        self._last: dict[str, tuple[float, bytes | None]] = {}

    async def of(self, tenant: str) -> bytes | None:
        """The JSON of a tenant's queues; None while they cannot be known."""
        async with self._asking:
            since = time.monotonic() - FRESH_SECONDS
            self._last = {name: told for name, told in self._last.items() if told[0] > since}
            if tenant not in self._last:
                found = await self._queues(tenant)
                told = None if found is None else _json(tenant, found)
                self._last[tenant] = time.monotonic(), told
            return self._last[tenant][1]


def _json(tenant: str, queues: list[dict[str, Any]]) -> bytes:
    document = {"now": datetime.now(UTC), "tenant": tenant, "queues": queues}
    return _encode(document)
