"""Apache Kafka for tests: one KRaft node from the released jars, started by `java -cp`.

Maven copies the jars named in tests/kafka/pom.xml into tests/kafka/target/lib, once, under a lock.
"""

import base64
import fcntl
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from streams.broker_admin import BrokerUnavailableError, cluster_id
from streams.child_process import ChildProcess, free_port

HOST: Final = "127.0.0.1"
POM: Final = Path(__file__).parents[1] / "kafka" / "pom.xml"
TARGET: Final = POM.parent / "target"
OLDEST_JAVA: Final = 17
START_DEADLINE_SECONDS: Final = 90.0
FETCH_DEADLINE_SECONDS: Final = 600.0
PORT_ATTEMPTS: Final = 3

_JVM_OPTIONS: Final = (
    "-Xms128m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # starts in half the time; nothing here runs long enough to need C2
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)


class KafkaError(RuntimeError):
    """Kafka could not be fetched or started. The message has the tool's last words."""


def missing_tools() -> list[str]:
    """Return what must be installed before Kafka can run here, by Debian package; [] if nothing."""
    missing = [] if _java_version() >= OLDEST_JAVA else [f"default-jre-headless (>= {OLDEST_JAVA})"]
    if not _fetched() and shutil.which("mvn") is None:
        missing.append("maven")
    return missing


def _java_version() -> int:
    """Major version of the Java on the PATH; 0 if there is none (macOS has one that says so)."""
    if shutil.which("java") is None:
        return 0
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    return int(version[1]) if version else 0


def _fingerprint() -> str:
    return hashlib.sha256(POM.read_bytes()).hexdigest()


def _fetched() -> bool:
    stamp = TARGET / "fetched"
    return stamp.is_file() and stamp.read_text() == _fingerprint()


def classpath() -> str:
    """Return the class path of Kafka, fetched first if need be.

    Raises:
        KafkaError: Maven failed; the message has its output.
    """
    TARGET.mkdir(parents=True, exist_ok=True)
    with (TARGET / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test runs side by side fetch once
        if not _fetched():
            shutil.rmtree(TARGET / "lib", ignore_errors=True)
            done = subprocess.run(
                ["mvn", "-B", "-q", "-f", str(POM), "dependency:copy-dependencies"],
                capture_output=True,
                text=True,
                timeout=FETCH_DEADLINE_SECONDS,
                check=False,
            )
            if done.returncode != 0:
                raise KafkaError(f"Maven could not fetch Kafka ({POM}):\n{done.stdout[-4000:]}")
            (TARGET / "fetched").write_text(_fingerprint())
    return f"{TARGET / 'lib'}{os.sep}*"


class ApacheKafka:
    """One Kafka node, broker and controller in one, with its data under `directory`.

    `kill` and `start` again make a broker restart: the log and the address stay. Asking for a topic
    does not make it, as in any well-kept cluster.
    """

    def __init__(self, directory: Path) -> None:
        """Take the directory; nothing is started yet."""
        self._directory = directory
        self._cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self._ports = (0, 0)
        self._has_answered = False
        self._child: ChildProcess | None = None
        self._classpath = ""

    @property
    def bootstrap(self) -> str:
        """`host:port` of the node, once it was started."""
        return f"{HOST}:{self._ports[0]}"

    def start(self) -> str:
        """Start it (formatting its storage the first time) and wait until it answers.

        Returns:
            `host:port`, the same at every start.

        Raises:
            KafkaError: it could not be fetched, or did not answer in time.
        """
        self._classpath = classpath()
        properties = self._directory / "server.properties"
        deadline = time.monotonic() + START_DEADLINE_SECONDS
        for _ in range(1 if self._has_answered else PORT_ATTEMPTS):
            if not self._has_answered:
                self._choose_ports(properties)
            child = self._child = ChildProcess(
                self._java("kafka.Kafka", str(properties)), log_path=self._directory / "kafka.log"
            )
            if self._answers(child, deadline):
                self._has_answered = True
                return self.bootstrap
            self.kill()
            if time.monotonic() >= deadline:
                break
            # It died early: most likely another program took a port before it did.
        raise KafkaError(
            f"Kafka did not come up at {self.bootstrap}. Its last words:\n{child.log_tail()}"
        )

    def _answers(self, child: ChildProcess, deadline: float) -> bool:
        """Whether the child, and not a stranger on its port, answers before the deadline."""
        if not child.wait_until_listening(HOST, self._ports[0], deadline=deadline):
            return False
        remaining = max(1.0, deadline - time.monotonic())
        try:
            return cluster_id(self.bootstrap, timeout_seconds=remaining) == self._cluster
        except BrokerUnavailableError:
            return False

    def _choose_ports(self, properties: Path) -> None:
        with socket.socket() as held:  # so that the other one is another
            held.bind((HOST, 0))
            self._ports = (held.getsockname()[1], free_port(HOST))
        formatted = properties.exists()
        self._directory.mkdir(parents=True, exist_ok=True)
        properties.write_text(self._properties())
        if not formatted:
            self._format(properties)

    def kill(self) -> None:
        """End it as a power cut would. Safe to call twice."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal: SIGSTOP and SIGCONT make a broker that hangs."""
        if self._child is not None:
            self._child.send_signal(number)

    def _java(self, main: str, *arguments: str) -> list[str]:
        return ["java", *_JVM_OPTIONS, "-cp", self._classpath, main, *arguments]

    def _format(self, properties: Path) -> None:
        done = subprocess.run(
            self._java(
                "kafka.tools.StorageTool",
                "format",
                f"--cluster-id={self._cluster}",
                "-c",
                str(properties),
            ),
            capture_output=True,
            text=True,
            timeout=START_DEADLINE_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise KafkaError(f"Kafka's storage could not be formatted:\n{done.stderr[-4000:]}")

    def _properties(self) -> str:
        _, controller_port = self._ports
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{HOST}:{controller_port}",
            "listeners": f"BROKER://{self.bootstrap},CONTROLLER://{HOST}:{controller_port}",
            "advertised.listeners": f"BROKER://{self.bootstrap}",
            "inter.broker.listener.name": "BROKER",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self._directory / "logs"),
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "1",
            "group.initial.rebalance.delay.ms": "0",  # tests wait for a group, not for newcomers
            # A killed broker may register again only after its last session: 9 s by default.
            "broker.session.timeout.ms": "2000",
            "broker.heartbeat.interval.ms": "500",
            "num.io.threads": "2",
            "num.network.threads": "2",
        }
        return "".join(f"{key}={value}\n" for key, value in settings.items())

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it."""
        self.kill()
