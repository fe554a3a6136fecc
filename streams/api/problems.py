"""Errors as `application/problem+json` (RFC 9457): what happened, and what to do. Pure."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

MEDIA_TYPE: Final = "application/problem+json"
NO_STORE: Final = {"Cache-Control": "no-store"}
"""What is said about people is not for caches."""


class Problem(BaseModel):
    """An error. `detail` says what to do where something can be done."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "about:blank",
                "title": "Not Found",
                "status": 404,
                "detail": "nothing is known of 'phone:+4930123456'",
            }
        }
    )

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class ProblemResponse(JSONResponse):
    """A `Problem` as a response."""

    media_type = MEDIA_TYPE


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> ProblemResponse:
    """The response for a status and a detail; the status names the problem."""
    said = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return ProblemResponse(said.model_dump(), status, {**NO_STORE, **(headers or {})})


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For OpenAPI: that a route may answer with these problems."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}},
        }
        for status in statuses
    }
