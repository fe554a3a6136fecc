"""`switchboard alerts`: a secret that the configuration takes; words where nothing can be done."""

from pathlib import Path

from schemas.webhooks import WebhookSettings
from tests.support.command_line import switchboard


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
