"""What travels on `identity.links`: records keyed by the identifier that they are for. Pure.

Values are JSON. Records may come repeatedly and, between partitions, in any order; saying something
twice changes nothing. Keys of identifiers are hashes that no two tenants share, so what one tenant
says never reaches another's identifiers.
"""

from typing import Final, NamedTuple

import msgspec

from streams.derived_fold import Unreadable
from streams.identity.edges import Edge

MOST_EDGES: Final = 500
"""Edges in one record: 200 bytes each keep it far below what a broker takes."""


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing said to one identifier. Either `edges`, or `root`, is given.

    `edges`: these are known; pass them on to the root that you follow, or keep them if you follow
    none. `told` names the identifier of them that knows its root already; it is `"*"`, for all,
    when a root hands over what it kept: `version` is then the one that it had come to.
    `root`: this is a root of an identifier that is connected with you.
    """

    tenant: str
    to: str
    edges: tuple[Edge, ...] = ()
    told: str = ""
    version: int = 0
    root: str = ""


EVERYONE: Final = "*"


class Rendered(NamedTuple):
    """A message as a record's key and value."""

    key: bytes
    value: bytes


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Message)


def rendered(message: Message) -> Rendered:
    """The record of a message."""
    return Rendered(message.to.encode(), _encoder.encode(message))


def read(value: bytes | None) -> Message:
    """The message in a record's value.

    Raises:
        Unreadable: it holds none.
    """
    try:
        return _decoder.decode(value or b"")
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Unreadable(str(error)) from error


def of_edge(tenant: str, edge: Edge) -> Message:
    """What is published of new evidence: said to the edge's smaller identifier."""
    return Message(tenant, edge.a, edges=(edge,), told=edge.a)
