"use strict";

const APP_NAME = "product_1";
const SHOWN_ANSWERS = 20;
const STATS_MS = 2000;
const byId = (id) => document.getElementById(id);
const element = (name, text, className = "") =>
  Object.assign(document.createElement(name), { textContent: text, className });
const clock = (date) => new Date(date).toLocaleTimeString();

function showState() {
  const { user_id, queued, waiting, sent, dropped } = events.stats();
  byId("identity").textContent = user_id !== null
    ? `You are user ${user_id}.`
    : `You are not logged in: ${waiting || "no"} ${waiting == 1 ? "event is" : "events are"} waiting.`;
  byId("queued").textContent = queued;
  byId("acknowledged").textContent = sent;
  byId("dropped").textContent = Object.values(dropped).reduce((sum, count) => sum + count);
}

function verdict(status, answer) {
  if (status == 200) {
    const refused = answer.rejected?.length ? `, ${answer.rejected.length} refused` : "";
    return `200: Kafka has ${answer.accepted}${refused}`;
  }
  if (!status) return "no answer: the events are kept and sent again";
  const said = answer.error?.message ?? "no reason given";
  return `${status}: ${said}${answer.error?.retryable ? "; the events are kept and sent again" : ""}`;
}

function showAnswer({ detail: { status, answer, events: batch } }) {
  const item = element("li", "");
  item.append(
    element("time", clock(Date.now())),
    element("strong", verdict(status, answer), status == 200 ? "good" : "bad"),
  );
  const list = element("ul", "");
  for (const each of batch) {
    const value = each.event_value === undefined ? "" : `, ${each.event_value}`;
    list.append(element("li", `${each.event_action ?? "no action"}: ${each.event_category}${value}`));
  }
  item.append(list);
  byId("answers").prepend(item);
  while (byId("answers").children.length > SHOWN_ANSWERS) byId("answers").lastChild.remove();
  byId("log").tabIndex = 0; // it scrolls, so keys must reach it
  byId("nothing").hidden = true;
  showState();
}

function showStats({ raw, enriched }) {
  byId("raw").textContent = raw.rows;
  byId("twice").textContent = raw.rows - raw.events;
  byId("enriched").textContent = enriched.rows;
  const own = events.stats().user_id;
  byId("rows").replaceChildren(...enriched.latest.map((each) => {
    const row = element("tr", "", each.app_name == APP_NAME && each.user_id == own ? "own" : "");
    const { event_time, user_id, app_name, event_category, event_action, event_value } = each;
    const cells = [
      clock(event_time), user_id, app_name, event_category, event_action, event_value,
      each.u_count, each.u_mp_ea,
    ];
    row.append(...cells.map((cell) => element("td", cell ?? "–")));
    return row;
  }));
}

async function pollStats(url) {
  const state = byId("stats-state");
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5 * STATS_MS) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    showStats(await response.json());
    byId("stats").hidden = false;
    state.textContent = `As of ${clock(Date.now())}; new rows are enriched within 2 minutes.`;
  } catch {
    state.textContent = "The numbers are not available at the moment; this page keeps trying.";
  }
  setTimeout(pollStats, STATS_MS, url);
}

function listen() {
  addEventListener("events:answer", showAnswer);
  byId("login").addEventListener("submit", (event) => {
    event.preventDefault();
    events.identify(byId("user").valueAsNumber);
    showState();
  });
  byId("logout").addEventListener("click", () => {
    events.reset();
    showState();
  });
  byId("track").addEventListener("click", () => events.track("category_1"));
  byId("opt-out").addEventListener("change", (event) => {
    if (event.target.checked) events.optOut();
    else events.optIn();
    showState();
  });
}

async function start() {
  const { key, stats } = await (await fetch("demo/config.json")).json();
  listen();
  events.init({ key: key ?? undefined, app_name: APP_NAME });
  byId("opt-out").checked = events.stats().opted_out;
  byId("signal").hidden = !(navigator.globalPrivacyControl || navigator.doNotTrack == "1");
  setInterval(showState, 500);
  showState();
  if (stats) pollStats(stats);
}

start();
