"""The way to a broker for administration: how to log in, whether it answers, and who it is.

kafka-python serves administration only, the hot path has its own driver (`streams.transport`). I/O:
one short-lived connection a call. Imports `schemas` alone.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self

from aiokafka.helpers import create_ssl_context
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, SaslAuthenticationFailedError, UnknownBrokerIdError

from schemas.sections import BrokerSettings

CLIENT_ID: Final = "switchboard-admin"
DEFAULT_TIMEOUT_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class Security:
    """How to reach a broker. `protocol` as in Kafka's `security.protocol`; a SASL one needs a user.

    `mechanism` is `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`; `ca_file` a PEM file of authorities,
    None for the system's.
    """

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    mechanism: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None

    @classmethod
    def of(cls, broker: BrokerSettings) -> Self:
        """Return what the settings say."""
        password = broker.password
        return cls(
            protocol=broker.protocol,
            mechanism=broker.mechanism,
            username=broker.username,
            password=None if password is None else password.get_secret_value(),
            ca_file=broker.ca_file,
        )

    def options(self) -> dict[str, Any]:
        """Return the keyword arguments that kafka-python's clients take."""
        return {
            "security_protocol": self.protocol,
            "sasl_mechanism": self.mechanism,
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.password,
            "ssl_cafile": self.ca_file,
        }

    def producer_options(self) -> dict[str, Any]:
        """Return the keyword arguments that aiokafka's producer takes."""
        options = {k: v for k, v in self.options().items() if v is not None and k != "ssl_cafile"}
        if "SSL" in self.protocol:
            options["ssl_context"] = create_ssl_context(cafile=self.ca_file)
        return options


PLAINTEXT: Final = Security()


class TopicAdminError(RuntimeError):
    """The broker answered, and refused or did not know something. The message says what to do."""


class BrokerUnavailableError(TopicAdminError):
    """No broker answered at the address within the time allowed."""


@contextlib.contextmanager
def admin_client(bootstrap: str, security: Security, timeout_seconds: float) -> Iterator[Any]:
    """Connect, hand out kafka-python's admin client, close.

    Raises:
        BrokerUnavailableError: nobody answered in time.
        TopicAdminError: the broker refused the user, or what the body of the `with` asked.
    """
    timeout_ms = int(timeout_seconds * 1000)
    try:
        client = KafkaAdminClient(
            bootstrap_servers=bootstrap.split(","),
            client_id=CLIENT_ID,
            bootstrap_timeout_ms=timeout_ms,
            request_timeout_ms=timeout_ms,
            reconnect_backoff_max_ms=500,
            **security.options(),
        )
    except SaslAuthenticationFailedError as error:
        raise TopicAdminError(_refused(bootstrap, security, error)) from error
    except (KafkaError, OSError) as error:
        raise BrokerUnavailableError(
            f"No Kafka broker answered at {bootstrap} within {timeout_seconds:g} s "
            f"({security.protocol}): {error!r}. Check that it runs, that it "
            "advertises this address, and that broker.url and the security settings are right; "
            "`switchboard doctor` tries each in turn."
        ) from error
    try:
        yield client
    except KafkaError as error:
        # What passes by itself (a request that timed out, no leader yet, for which kafka-python
        # looks among the brokers that it knows) is tried again by callers.
        passes = error.retriable or isinstance(error, UnknownBrokerIdError)
        kind = BrokerUnavailableError if passes else TopicAdminError
        raise kind(f"The broker at {bootstrap} could not do what was asked: {error!r}.") from error
    finally:
        client.close()


def _refused(bootstrap: str, security: Security, error: Exception) -> str:
    return (
        f"The broker at {bootstrap} refused the user {security.username!r} "
        f"({security.protocol}, {security.mechanism}): {error}. Check broker.username, "
        "broker.password and the mechanism."
    )


def cluster_id(
    bootstrap: str,
    *,
    security: Security = PLAINTEXT,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
) -> str:
    """Return the identity of the cluster at `bootstrap`: the way to ask whether it answers.

    Raises:
        BrokerUnavailableError: nobody answered in time.
    """
    with admin_client(bootstrap, security, timeout_seconds) as admin:
        return str(admin.describe_cluster()["cluster_id"])


@dataclass(frozen=True, slots=True)
class BrokerIdentity:
    """Which cluster answered. `protocol` is the Kafka release whose protocol it speaks: `4.1`."""

    cluster_id: str
    brokers: int
    protocol: str


def broker_identity(
    bootstrap: str,
    *,
    security: Security = PLAINTEXT,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
) -> BrokerIdentity:
    """Return who answers at `bootstrap`.

    A broker does not tell its release: `protocol` is inferred from the requests that it knows.

    Raises:
        BrokerUnavailableError: nobody answered in time.
        TopicAdminError: it refused the user.
    """
    with admin_client(bootstrap, security, timeout_seconds) as admin:
        cluster = admin.describe_cluster()
        brokers = cluster["brokers"]
        version = admin.get_broker_version_data(brokers[0]["broker_id"]).broker_version
        return BrokerIdentity(
            cluster_id=str(cluster["cluster_id"]),
            brokers=len(brokers),
            protocol=".".join(str(part) for part in version),
        )
