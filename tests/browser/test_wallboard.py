"""The wallboard in Chromium: what people see, by keyboard, on a phone, and when nothing answers."""

import asyncio
import os
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from dashboards.wallboard import routes
from schemas.sections import HttpSettings
from sinks.metrics import Metrics
from streams.http import serving
from tests.streams.test_http import StateDouble

CHROMIUM = "/usr/bin/chromium"
DEADLINE_MS = 30_000
TENANT = "acme <b>&"


def queue(name: str, **changed: Any) -> dict[str, Any]:
    """A row of `queues_now` with its alerts; of the moment in which it is served, if it has no `at`
    of its own."""
    return {
        "tenant": TENANT, "queue": name, "current": 1, "waiting": 0,
        "oldest_enqueued_at": None, "active": 3, "agents_available": 2, "agents_on_contact": 3,
        "agents_wrapup": 1, "agents_paused": None, "agents_offline": 0, "target_seconds": 20,
        "target_ratio": 0.8, "service_level_preset": "offered",
        "service_level_ratio": {"15m": 0.9, "day": 0.86}, "alerts": [],
    } | changed  # fmt: skip


def alert(severity: str, kpi: str = "waiting") -> dict[str, Any]:
    at = datetime.now(UTC)
    return {"kpi": kpi, "severity": severity, "value": 12, "threshold": 10, "opened_at": at}


class Worker:
    """A worker's web server in a thread, over whatever `queues` are set."""

    def __init__(self) -> None:
        self.queues: list[dict[str, Any]] | None = []
        self.asked_for: list[str] = []
        self.address = ""
        self.answers = threading.Event()
        """Unset, questions wait, and `asked` is set by the next one."""
        self.answers.set()
        self.asked = threading.Event()
        self._serves = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._run()])

    async def _run(self) -> None:
        async def queues(tenant: str) -> list[dict[str, Any]] | None:
            self.asked_for.append(tenant)
            if not self.answers.is_set():
                self.asked.set()
                await asyncio.to_thread(self.answers.wait, DEADLINE_MS / 1000)
            rows, now = self.queues, datetime.now(UTC)
            return None if rows is None else [{"at": now, **row} for row in rows]

        pages = routes(queues, "default")
        async with serving(HttpSettings(port=0), StateDouble(), Metrics(), pages) as address:
            self.address = f"http://{address}"
            self._serves.set()
            await self._stop.wait()

    def __enter__(self) -> "Worker":
        self._thread.start()
        assert self._serves.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self.answers.set()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if shutil.which(CHROMIUM) is None:
        words = f"{CHROMIUM} is not installed: tests/support/tools.sh says how"
        if os.environ.get("CI") == "true":
            pytest.fail(words)
        pytest.skip(words)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def worker() -> Iterator[Worker]:
    with Worker() as running:
        yield running


@pytest.fixture
def page(browser: Browser, worker: Worker) -> Iterator[Page]:
    """The wallboard, complaining of whatever it asks of others or does wrong."""
    opened = browser.new_page(viewport={"width": 1920, "height": 1080})
    opened.set_default_timeout(DEADLINE_MS)
    expect.set_options(timeout=DEADLINE_MS)
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))

    def requested(request: Request) -> None:
        if not request.url.startswith(worker.address):
            wrong.append(request.url)

    opened.on("request", requested)
    yield opened
    opened.close()
    assert wrong == []


def show(page: Page, worker: Worker, *queues: dict[str, Any], path: str = "/wallboard") -> None:
    worker.queues = list(queues)
    page.goto(worker.address + path)


def card(page: Page, name: str) -> Any:
    return page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=name))


def test_what_is_wrong_is_said_in_words_signs_and_shape(page: Page, worker: Worker) -> None:
    since = datetime.now(UTC) - timedelta(seconds=125)
    trouble = queue(
        "support", waiting=12, oldest_enqueued_at=since,
        alerts=[alert("critical"), alert("warning", "longest_wait_now_seconds")],
    )  # fmt: skip
    short = queue("sales", service_level_ratio={"15m": 0.5, "day": 0.81})
    behind = queue("chat", current=0)
    show(page, worker, behind, queue("mail"), short, trouble)
    expect(card(page, "support")).to_contain_text("Critical: contacts waiting, longest wait")
    expect(card(page, "support").locator(".waiting")).to_have_text("12")
    expect(card(page, "sales")).to_contain_text("Below target")
    expect(card(page, "mail")).to_contain_text("On target")
    expect(card(page, "chat")).to_contain_text("Not current")
    names = page.get_by_role("heading", level=2).all_inner_texts()
    assert names == ["chat", "mail", "sales", "support"], "as the worker ordered them"
    signs = [card(page, name).locator(".sign").inner_text() for name in names]
    assert len(set(signs)) == 4, "one sign a verdict, whatever the colours"
    borders = {
        card(page, name).locator("article").evaluate("e => getComputedStyle(e).borderStyle")
        for name in names
    }
    assert borders == {"dotted", "solid", "dashed", "double"}


def test_figures_are_refreshed_and_changes_of_verdict_read_out(page: Page, worker: Worker) -> None:
    show(page, worker, queue("support"))
    expect(card(page, "support").locator(".waiting")).to_have_text("0")
    worker.queues = [queue("support", waiting=7, alerts=[alert("warning")])]
    expect(card(page, "support").locator(".waiting")).to_have_text("7")
    expect(page.get_by_role("log")).to_have_text("support: Warning: contacts waiting. 7 waiting.")
    worker.queues = [queue("support", waiting=8, alerts=[alert("warning")])]
    expect(card(page, "support").locator(".waiting")).to_have_text("8")
    expect(page.get_by_role("log")).to_have_text("support: Warning: contacts waiting. 7 waiting.")
    worker.queues = []
    expect(page.get_by_text("No queue is known yet")).to_be_visible()


def test_the_longest_wait_grows_by_the_workers_clock(page: Page, worker: Worker) -> None:
    since = datetime.now(UTC) - timedelta(hours=1, seconds=5)
    show(page, worker, queue("support", waiting=1, oldest_enqueued_at=since))
    expect(card(page, "support").locator(".longest")).to_contain_text("1:00:")
    first = card(page, "support").locator(".longest").inner_text()
    expect(card(page, "support").locator(".longest")).not_to_have_text(first)


def test_a_worker_that_does_not_answer_never_looks_like_a_calm_queue(
    page: Page, worker: Worker
) -> None:
    show(page, worker, queue("support"))
    expect(page.get_by_role("status")).to_have_text("Live, once a second.")
    worker.queues = None
    expect(page.get_by_role("status")).to_contain_text("No answer from the worker since")
    expect(page.get_by_role("status")).to_contain_text("What is shown is old")
    worker.queues = [queue("support", at=datetime.now(UTC) - timedelta(minutes=2))]
    expect(card(page, "support")).to_contain_text("Old: nothing new for 2:")


def test_it_can_be_held_still_by_keyboard(page: Page, worker: Worker) -> None:
    show(page, worker, queue("support"))
    expect(card(page, "support").locator(".waiting")).to_have_text("0")
    page.keyboard.press("Tab")
    held = page.get_by_role("button", name="Hold still")
    expect(held).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Go on", pressed=True)).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("not live")
    page.keyboard.press("Space")
    worker.queues = [queue("support", waiting=3)]
    expect(card(page, "support").locator(".waiting")).to_have_text("3")


@pytest.mark.parametrize("answer", [[queue("support", waiting=3)], None], ids=["figures", "none"])
def test_what_was_asked_before_it_was_held_still_changes_nothing_after(
    page: Page, worker: Worker, answer: list[dict[str, Any]] | None
) -> None:
    page.add_init_script(COUNT_ROUNDS)
    show(page, worker, queue("support"))
    expect(page.get_by_role("status")).to_have_text("Live, once a second.")
    worker.answers.clear()
    assert worker.asked.wait(DEADLINE_MS / 1000)
    before = page.evaluate("window.rounds")
    page.get_by_role("button", name="Hold still").click()
    worker.queues = answer
    worker.answers.set()
    page.wait_for_function("before => window.rounds > before", arg=before)
    expect(page.get_by_role("status")).to_have_text("▮▮ Held still: what is shown is not live.")
    expect(card(page, "support").locator(".waiting")).to_have_text("0")


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_on_a_phone_nothing_is_cut_off_and_everything_legible(
    page: Page, worker: Worker, scheme: Any
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 360, "height": 740})
    since = datetime.now(UTC) - timedelta(hours=11, seconds=5)
    name = "A queue with a name that is long without any reason"
    show(
        page,
        worker,
        queue(name, waiting=1234, oldest_enqueued_at=since, alerts=[alert("critical")]),
        queue("mail"),
    )
    expect(card(page, name).locator(".waiting")).to_have_text("1234")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate(CUT_OFF) == []
    for selector in ("h2", ".verdict", "dt", ".target", "#state", "button"):
        assert page.locator(selector).first.evaluate(CONTRAST) >= 7, selector
    size = page.get_by_role("button").bounding_box()
    assert size is not None
    assert size["height"] >= 44


def test_a_figure_is_readable_from_across_a_room(page: Page, worker: Worker) -> None:
    since = datetime.now(UTC) - timedelta(hours=1, seconds=5)
    show(page, worker, queue("support", waiting=12, oldest_enqueued_at=since), queue("sales"))
    expect(card(page, "support").locator(".waiting")).to_have_text("12")
    size = (
        card(page, "support")
        .locator(".waiting")
        .evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
    )
    assert size >= 80
    assert page.evaluate(CUT_OFF) == []


def test_the_address_chooses_the_tenant_and_text_stays_text(page: Page, worker: Worker) -> None:
    show(page, worker, queue("<img src=x onerror=alert(1)>"), path="/wallboard?tenant=a%26b")
    expect(page.get_by_role("heading", level=2)).to_have_text("<img src=x onerror=alert(1)>")
    assert set(worker.asked_for) == {"a&b"}


COUNT_ROUNDS = """window.rounds = 0;
const later = window.setTimeout;
window.setTimeout = (task, ms) => {
  if (task.name === "refresh") window.rounds += 1;
  return later(task, ms);
};"""
"""The page sets its timer when it is done with an answer, or with what came instead of one."""

CUT_OFF = """[...document.querySelectorAll('article')].flatMap((card) =>
  [...card.querySelectorAll('dd, dt, h2, p')].filter((one) => {
    const range = document.createRange();
    range.selectNodeContents(one);
    return range.getBoundingClientRect().right > card.getBoundingClientRect().right - 4;
  }).map((one) => one.className + ' ' + one.textContent))"""
"""Texts that reach over the edge of their card."""

CONTRAST = """element => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b]
    .map((c) => c / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => {
    const found = numbers(getComputedStyle(e).backgroundColor);
    return found.length === 4 && found[3] === 0 ? ground(e.parentElement) : found;
  };
  const both = [light(numbers(getComputedStyle(element).color)), light(ground(element))];
  return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
}"""
"""Contrast of an element's text, by the formula of WCAG 2."""
