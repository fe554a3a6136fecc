"""`switchboard alerts`: a secret that the configuration takes; words where nothing can be done."""

import json
import re
import subprocess
from pathlib import Path
from urllib.request import urlopen

from schemas.sections import BrokerSettings
from schemas.webhooks import WebhookSettings
from streams.embedded import EmbeddedBroker
from streams.topic_admin import create_topics, topic_specs
from tests.support.command_line import SWITCHBOARD, environment, switchboard
from tests.support.prometheus import wait_until


def test_a_secret_is_one_that_the_configuration_takes(tmp_path: Path) -> None:
    made = switchboard("alerts", "secret", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    given = {"urls": {"a": "https://example.com/"}, "secrets": {"a": made.stdout.strip()}}
    WebhookSettings.model_validate(given)
    assert switchboard("alerts", "secret", cwd=tmp_path).stdout != made.stdout


def test_without_a_webhook_there_is_nothing_to_deliver(tmp_path: Path) -> None:
    done = switchboard("alerts", "deliver", "--broker", "127.0.0.1:1", cwd=tmp_path)
    assert done.returncode == 2
    assert "[webhooks]" in done.stderr


def test_the_embedded_broker_is_the_workers_own(tmp_path: Path) -> None:
    done = switchboard("alerts", "deliver", cwd=tmp_path)
    assert done.returncode == 2
    assert "broker" in done.stderr


def test_a_delivery_that_serves_says_how_it_is_and_ends_when_told_to(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    create_topics(embedded_broker.bootstrap, topic_specs(BrokerSettings(partitions=1)))
    secret = switchboard("alerts", "secret", cwd=tmp_path).stdout.strip()
    settings = {
        "SWITCHBOARD_BROKER__URL": embedded_broker.bootstrap,
        "SWITCHBOARD_HTTP__PORT": "0",
        "SWITCHBOARD_WEBHOOKS__URLS": json.dumps({"pager": "http://127.0.0.1:1/"}),
        "SWITCHBOARD_WEBHOOKS__SECRETS": json.dumps({"pager": secret}),
    }
    words = tmp_path / "said"
    with words.open("w") as said, subprocess.Popen(
        [SWITCHBOARD, "alerts", "deliver", "--serve"],
        cwd=tmp_path, env=environment(settings), stdout=said, stderr=said,
    ) as delivering:  # fmt: skip
        try:
            (address,) = wait_until(
                lambda: re.findall(r"metrics at (http://\S+)", words.read_text()), "its address"
            )
            with urlopen(f"{address}/healthz", timeout=10) as answer:  # noqa: S310
                assert answer.status == 200
            with urlopen(f"{address}/metrics", timeout=10) as answer:  # noqa: S310
                assert "switchboard_webhook_messages_total" in answer.read().decode()
            delivering.terminate()
            assert delivering.wait(30) == 0
        finally:
            delivering.kill()
    assert "pager: 0 delivered, 0 set aside" in words.read_text()
    done = switchboard("alerts", "redeliver", cwd=tmp_path, settings=settings)
    assert (done.returncode, done.stderr.splitlines()[-1:]) == (
        0,
        ["pager: 0 delivered, 0 set aside"],
    )
