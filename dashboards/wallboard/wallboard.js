// The wallboard's page: asks once a second, shows what it was told, and says when that is old.
// A change of verdict is read out by screen readers; figures, which change all the time, are not.

const ASK_MS = 1000;
const ANSWER_MS = 5000;
const OLD_SECONDS = 15;

const SIGNS = { good: "✔", warning: "▲", critical: "✖", old: "?" };
const KPIS = {
  waiting: "contacts waiting",
  longest_wait_now_seconds: "longest wait",
  average_speed_of_answer_seconds: "speed of answer",
  abandonment_ratio: "abandonment",
  service_level_ratio: "service level",
  agents_available: "agents available",
  forecast_breach_probability: "forecast of a breach",
};

const page = document.body;
const list = document.getElementById("queues");
const state = document.getElementById("state");
const said = document.getElementById("said");
const hold = document.getElementById("hold");
const template = document.getElementById("queue");
const cards = new Map();
let ahead = 0; // this machine's clock less the worker's, in milliseconds
let shown = []; // the queues as last told
let told = null; // when that was, by this machine's clock

const query = new URLSearchParams(location.search).get("tenant");
const address = "/wallboard/queues.json" + (query === null ? "" : "?tenant=" + encodeURIComponent(query));

function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n) => String(n).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

const count = (value) => (value === null || value === undefined ? "–" : String(value));
const percent = (value) =>
  value === null || value === undefined ? "–" : `${(value * 100).toFixed(0)} %`;

function verdict(queue, now) {
  const age = (now - Date.parse(queue.at)) / 1000;
  if (!queue.current) return ["old", "Not current: the worker is catching up"];
  if (age > OLD_SECONDS) return ["old", `Old: nothing new for ${duration(age)}`];
  if (queue.alerts.length) {
    const worst = queue.alerts[0].severity;
    const names = queue.alerts.map((alert) => KPIS[alert.kpi] || alert.kpi);
    return [worst, `${worst === "critical" ? "Critical" : "Warning"}: ${[...new Set(names)].join(", ")}`];
  }
  const level = queue.service_level_ratio["15m"];
  if (level !== null && level !== undefined && level < queue.target_ratio) {
    return ["warning", "Below target"];
  }
  return ["good", "On target"];
}

function card(name) {
  if (!cards.has(name)) {
    const made = template.content.firstElementChild.cloneNode(true);
    made.querySelector("h2").textContent = name;
    cards.set(name, made);
  }
  return cards.get(name);
}

function write(inside, selector, text) {
  const place = inside.querySelector(selector);
  if (place.textContent !== text) place.textContent = text;
}

function show(queue, now) {
  const one = card(queue.queue);
  const [kind, words] = verdict(queue, now);
  if (one.dataset.words !== undefined && one.className !== kind) {
    said.textContent = `${queue.queue}: ${words}. ${queue.waiting} waiting.`;
  }
  one.dataset.words = words;
  one.className = kind;
  const oldest = queue.oldest_enqueued_at;
  write(one, ".sign", SIGNS[kind]);
  write(one, ".words", words);
  write(one, ".waiting", count(queue.waiting));
  write(one, ".longest", oldest === null ? "–" : duration((now - Date.parse(oldest)) / 1000));
  for (const name of ["available", "on_contact", "wrapup", "paused"]) {
    write(one, `.${name}`, count(queue[`agents_${name}`]));
  }
  write(one, ".level_15m", percent(queue.service_level_ratio["15m"]));
  write(one, ".level_day", percent(queue.service_level_ratio.day));
  write(
    one,
    ".target",
    `Target: ${percent(queue.target_ratio)} in ${queue.target_seconds} s (${queue.service_level_preset})`,
  );
  return one;
}

function draw() {
  const now = Date.now() - ahead;
  const names = new Set(shown.map((queue) => queue.queue));
  for (const [name, one] of cards) {
    if (!names.has(name)) {
      one.remove();
      cards.delete(name);
    }
  }
  shown.forEach((queue, place) => {
    const one = show(queue, now);
    if (list.children[place] !== one) list.insertBefore(one, list.children[place] || null);
  });
  document.getElementById("none").hidden = told === null || shown.length > 0;
}

function tell(words, failing) {
  page.classList.toggle("failing", failing);
  if (state.textContent !== words) state.textContent = words;
}

async function ask() {
  const answer = await fetch(address, { signal: AbortSignal.timeout(ANSWER_MS), cache: "no-store" });
  if (!answer.ok) throw new Error((await answer.text()).trim());
  return answer.json();
}

const held = () => hold.getAttribute("aria-pressed") === "true";

async function refresh() {
  if (!held()) {
    const answer = await ask().catch(() => null);
    // It may have been held still while the worker was asked.
    if (!held()) {
      if (answer === null) {
        const since = told === null ? "yet" : `since ${new Date(told).toLocaleTimeString()}`;
        tell(`✖ No answer from the worker ${since}. What is shown is old.`, true);
      } else {
        told = Date.now();
        ahead = told - Date.parse(answer.now);
        shown = answer.queues;
        document.getElementById("tenant").textContent = answer.tenant;
        tell("Live, once a second.", false);
      }
      draw();
    }
  }
  setTimeout(refresh, ASK_MS);
}

hold.addEventListener("click", () => {
  hold.setAttribute("aria-pressed", String(!held()));
  hold.textContent = held() ? "Go on" : "Hold still";
  if (held()) tell("▮▮ Held still: what is shown is not live.", false);
});

refresh();
