"""The application: two questions about customers, asked with a token that says of which tenant.

Routes are plain functions: the store's calls block, so they run in Starlette's threads. There is no
way to list customers: who asks has to know an identifier.
"""

import logging
import math
from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version
from typing import Annotated, Final

from fastapi import Depends, FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import AwareDatetime
from starlette.exceptions import HTTPException

from schemas.timeline import Customer, TimelinePage
from sinks.errors import StoreError, StoreUnavailable
from streams.api.examples import CUSTOMER, PAGE, shown
from streams.api.problems import NO_STORE, documented, problem
from streams.api.rate_limit import RateLimit
from streams.api.tokens import Access, Tokens
from streams.timeline.cursor import BadCursor
from streams.timeline.reader import MOST_A_PAGE, CustomerUnknown, TimelineReader

logger = logging.getLogger(__name__)

A_PAGE: Final = 20
"""Contacts of a page where nothing else is asked for."""
STORE_AWAY_SECONDS: Final = 5

_bearer = HTTPBearer(
    auto_error=False, description="A token of `switchboard api token`. It is for one tenant."
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
Identifier = Annotated[
    str,
    Path(
        max_length=512,
        description="A phone number, an e-mail address or a customer number in any usual form; or "
        "`kind:value`, for handles `handle:network:value`.",
        examples=["+49 30 901820", "anna.berg@example.com", "handle:mastodon:anna"],
    ),
]
Limit = Annotated[int, Query(ge=1, le=MOST_A_PAGE, description="Contacts on the page.")]
Since = Annotated[
    AwareDatetime | None,
    Query(description="Only contacts that began at or after this time (RFC 3339, with offset)."),
]
Cursor = Annotated[
    str | None, Query(max_length=1024, description="`next_cursor` of the page before.")
]


def create_app(
    reader: TimelineReader, tokens: Tokens, limit: RateLimit, now: Callable[[], datetime]
) -> FastAPI:
    """The application. `now` gives the time from which contacts of the last days are counted."""
    api = FastAPI(
        title="Switchboard",
        summary="One timeline per customer of a contact centre.",
        version=version("switchboard"),
        # Their pages are fetched from elsewhere; the contract itself is at /openapi.json.
        docs_url=None,
        redoc_url=None,
    )
    _handle_errors(api)

    def access(credentials: Credentials) -> Access:
        found = tokens.access(credentials.credentials) if credentials else None
        if found is None:
            raise HTTPException(
                401,
                "give a token that is known here: Authorization: Bearer …",
                {"WWW-Authenticate": "Bearer"},
            )
        wait = limit.wait_seconds(found.holder)
        if wait:
            raise HTTPException(
                429, "too many requests with this token", {"Retry-After": str(math.ceil(wait))}
            )
        return found

    # Before the other one, whose identifier would take in its end.
    @api.get(
        "/customers/{identifier:path}/timeline",
        responses={**shown(PAGE), **documented(400, 401, 404, 422, 429, 503)},
        operation_id="timeline",
    )
    def timeline(
        identifier: Identifier,
        who: Annotated[Access, Depends(access)],
        response: Response,
        limit: Limit = A_PAGE,
        since: Since = None,
        cursor: Cursor = None,
    ) -> TimelinePage:
        """A customer's contacts on all channels, newest first, a page at a time."""
        response.headers.update(NO_STORE)
        return reader.page(who.tenant, identifier, limit=limit, since=since, cursor=cursor)

    @api.get(
        "/customers/{identifier:path}",
        responses={**shown(CUSTOMER), **documented(401, 404, 422, 429, 503)},
        operation_id="customer",
    )
    def customer(
        identifier: Identifier, who: Annotated[Access, Depends(access)], response: Response
    ) -> Customer:
        """Who a customer is: identifiers, channels, open contacts, last ratings."""
        response.headers.update(NO_STORE)
        return reader.customer(who.tenant, identifier, now())

    return api


def _handle_errors(api: FastAPI) -> None:
    """Every error becomes a problem; what is nobody's business stays in the log."""

    @api.exception_handler(HTTPException)
    def refused(_: Request, error: HTTPException) -> Response:
        return problem(error.status_code, str(error.detail), error.headers)

    @api.exception_handler(RequestValidationError)
    def misunderstood(_: Request, error: RequestValidationError) -> Response:
        said = (f"{'.'.join(map(str, e['loc'][1:]))}: {e['msg']}" for e in error.errors())
        return problem(422, "; ".join(said))

    @api.exception_handler(CustomerUnknown)
    def unknown(_: Request, error: CustomerUnknown) -> Response:
        return problem(404, str(error))

    @api.exception_handler(BadCursor)
    def bad_cursor(_: Request, error: BadCursor) -> Response:
        return problem(400, str(error))

    @api.exception_handler(StoreError)
    def store_failed(_: Request, error: StoreError) -> Response:
        logger.error("the API cannot read the store: %s", error)
        if isinstance(error, StoreUnavailable):
            headers = {"Retry-After": str(STORE_AWAY_SECONDS)}
            return problem(503, "the store does not answer; try again", headers)
        return problem(500, "the store refused the question; its operator finds why in the log")

    @api.exception_handler(Exception)
    def failed(_: Request, error: Exception) -> Response:
        logger.error("the API failed", exc_info=error)
        return problem(500, "something is wrong here; its operator finds what in the log")
