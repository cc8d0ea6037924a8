// Sends the events of a web page to an events collector, and keeps each event until the collector
// has answered. See tracker.d.ts for how to use it.
(() => {
  "use strict";
  if (window.events?.init) return; // the page includes this script twice

  // The collector replaces these three values when it serves this file.
  const WINDOW = 604800; // the greatest age of an event, in seconds
  const EVENT_BYTES = 32768; // the greatest length of an event
  const FIELDS = []; // the contract's own fields, each with the name of its type
  const BATCH_EVENTS = 50;
  const BATCH_MS = 1000;
  // Browsers allow 64 KiB in total for requests that outlive a page.
  const IN_FLIGHT_BYTES = 60 * 1024;
  const QUEUE_EVENTS = 1000;
  const ANSWER_MS = 30000;
  const LEASE_MS = ANSWER_MS + 5000;
  const LEASE_PAUSE_MS = 100;
  const RECHECK_MS = 5000;
  const MAX_BACKOFF_MS = 60000;
  const MAX_RETRY_AFTER_MS = 3600000;
  const OFF = "events off"; // for all collectors
  const KEEPALIVE = "keepalive" in Request.prototype;
  const home = document.currentScript?.src && new URL(".", document.currentScript.src).href;

  let app, url, prefix, signals, locks;
  let most = BATCH_EVENTS; // fewer after a 413
  let inFlight = 0; // bytes
  let timer, flushing, left, fresh = 0;
  let failures = 0, backoff = 0, retryAfter = 0; // until when, by performance.now()
  let bid; // the key of a lease whose events another tab may have leased first
  let path, reached;
  let sent = 0, serial = 0;
  const dropped = { expired: 0, full: 0, refused: 0, invalid: 0 };
  const leases = new Set(); // the keys of this page's leases

  const complain = (...said) => console.error("events:", ...said);
  const started = () => url || complain("call init first");
  const isText = (value) =>
    typeof value == "string" && /^[^\0\ud800-\udfff]{1,256}$/u.test(value);
  const isInt = (value) => typeof value == "number" && (value | 0) == value;
  const isDate = (value) => ({}).toString.call(value) == "[object Date]"; // from any frame
  const isTime = (value) => isDate(value)
    ? value >= 0 && value.getUTCFullYear() < 10000
    : typeof value == "string" && Date.parse(value) >= 0 &&
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$/i.test(value);
  const TYPES = {
    bool: ["true or false", (value) => typeof value == "boolean"],
    float64: ["a finite number", Number.isFinite],
    int32: ["a 32-bit integer", isInt],
    int64: ["a safe integer", Number.isSafeInteger],
    string: ["1 to 256 characters", isText],
    timestamp: ["a Date from 1970 on, or its text in RFC 3339", isTime],
  };
  const bytes = (text) => new TextEncoder().encode(text).length;
  const time = (ms) => new Date(ms).toISOString();

  // A UUIDv7 with a counter, so that ids sort by time. Plain http has no crypto.randomUUID.
  function uuid() {
    const random = crypto.getRandomValues(new Uint8Array(8));
    random[0] = (random[0] & 63) | 128;
    const hex = Date.now().toString(16).padStart(12, "0") +
      (0x7000 + (serial++ & 0xfff)).toString(16) +
      Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return hex.replace(/(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  }

  // --- storage: one key for each event, since tabs would overwrite each other's list ---

  const memory = new Map(); // entries that localStorage cannot store

  function put(key, text) {
    memory.set(key, text);
    try {
      localStorage.setItem(key, text);
      memory.delete(key);
    } catch {} // full or forbidden
  }

  function get(key) {
    try {
      return memory.get(key) ?? localStorage.getItem(key);
    } catch {
      return null;
    }
  }

  function remove(key) {
    memory.delete(key);
    try {
      localStorage.removeItem(key);
    } catch {}
  }

  function keys(kind) {
    let stored = [];
    try {
      stored = Object.keys(localStorage);
    } catch {}
    return [...new Set([...stored, ...memory.keys()])]
      .filter((key) => key.startsWith(prefix + kind)).sort();
  }

  function parsed(key) {
    try {
      return JSON.parse(get(key));
    } catch {
      remove(key);
    }
  }

  const eventKey = (event) => prefix + "event " + event.event_id;

  function drop(key, reason) {
    remove(key);
    dropped[reason]++;
  }

  // Returns the events, oldest first, and fills in the user if it is known by now.
  function queue() {
    const user = parsed(prefix + "user") ?? undefined;
    const now = Date.now();
    return keys("event ").flatMap((key) => {
      const event = parsed(key);
      if (!event) return remove(key) ?? []; // another tab has sent it meanwhile
      const age = now - Date.parse(event.event_time);
      if (!(age <= WINDOW * 1000)) return drop(key, "expired") ?? [];
      if (age < 0) event.event_time = time(now); // the clock was set back
      if (event.user_id === undefined && user !== undefined) {
        event.user_id = user;
        put(key, JSON.stringify(event));
      }
      return [event];
    });
  }

  function refuses() {
    const signal = navigator.globalPrivacyControl === true ||
      ["1", "yes"].includes(navigator.doNotTrack ?? window.doNotTrack);
    const refusing = (signals && signal) || get(OFF);
    if (refusing) ["event ", "user", "lease "].flatMap(keys).forEach(remove);
    return refusing;
  }

  // --- sending ---

  // Returns the leases of all tabs: which events are being sent, and since when.
  function leased() {
    return keys("lease ").flatMap((key) => {
      const lease = parsed(key);
      if (Math.abs(Date.now() - lease?.at) < LEASE_MS) return [{ key, ...lease }];
      remove(key);
      return [];
    });
  }

  function take() {
    for (const [key, text] of memory) put(key, text); // localStorage may have room now
    if (refuses()) return [];
    const away = new Set(leased().flatMap((lease) => lease.ids));
    const batch = [];
    let room = IN_FLIGHT_BYTES - inFlight - 100;
    for (const event of queue()) {
      if (event.user_id === undefined || away.has(event.event_id)) continue;
      room -= bytes(JSON.stringify(event)) + 1;
      if (room < 0 || batch.length == most) break;
      batch.push(event);
    }
    return batch;
  }

  function lease(batch) {
    const key = prefix + "lease " + uuid();
    put(key, JSON.stringify({ at: Date.now(), ids: batch.map((event) => event.event_id) }));
    leases.add(key);
    return key;
  }

  function release(key) {
    leases.delete(key);
    remove(key);
  }

  // Without locks: returns whether another tab leased one of the same events just before.
  async function outbid(key, batch) {
    bid = key;
    await new Promise((resolve) => setTimeout(resolve, LEASE_PAUSE_MS));
    bid = 0;
    return !leases.has(key) || refuses() || leased().some((other) =>
      other.key < key && batch.some(({ event_id }) => other.ids.includes(event_id)));
  }

  const bodyOf = (batch) => JSON.stringify({ sent_at: time(Date.now()), events: batch });

  async function post(batch, key = lease(batch)) {
    const body = bodyOf(batch);
    const size = bytes(body);
    inFlight += size;
    let status = 0, answer = {}, after;
    const late = new AbortController(); // older browsers have no AbortSignal.timeout
    setTimeout(() => late.abort(), ANSWER_MS);
    try {
      // text/plain with the key in the URL needs no preflight request.
      const response = await fetch(url, {
        method: "POST", body, keepalive: true, credentials: "omit",
        signal: late.signal,
      });
      after = response.headers.get("Retry-After");
      status = response.status;
      answer = await response.json();
    } catch {}
    inFlight -= size;
    try {
      settle(batch, status, answer, after);
    } catch {
      settle(batch, 0, {}); // the answer is not from a collector
    }
    release(key);
  }

  function settle(batch, status, answer, after) {
    const taken = status == 200 ? answer.event_ids : answer.acknowledged?.map((at) => at.event_id);
    taken?.forEach((event_id) => remove(eventKey({ event_id })));
    sent += taken?.length ?? 0;
    answer.rejected?.forEach(({ index, errors }) => {
      drop(eventKey(batch[index]), "refused");
      complain(`an event was refused: ${errors[0].field}: ${errors[0].message}`);
    });
    if (status == 200 && taken) {
      failures = backoff = retryAfter = 0;
      most = Math.min(2 * most, BATCH_EVENTS);
    } else if (status == 413 && batch.length > 1) {
      most = batch.length >> 1;
    } else if (status == 413 || answer.error && [400, 401, 403, 422].includes(status)) {
      batch.forEach((event) => drop(eventKey(event), "refused"));
      complain(`${batch.length} events were refused: ${status} ${answer.error?.message}`);
    } else {
      const asked = 1000 * after || Date.parse(after) - Date.now();
      if (asked > 0) retryAfter = performance.now() + Math.min(asked, MAX_RETRY_AFTER_MS);
      if (performance.now() >= backoff) { // batches that fail together count as one failure
        const longest = Math.min(1000 * 2 ** failures++, MAX_BACKOFF_MS);
        backoff = performance.now() + longest * (0.5 + Math.random() / 2);
      }
      backoff = Math.max(backoff, retryAfter);
    }
    dispatchEvent(new CustomEvent("events:answer", { detail: { status, answer, events: batch } }));
  }

  function beacon(batch) {
    const body = bodyOf(batch);
    const size = bytes(body);
    if (!navigator.sendBeacon?.(url, body)) return false;
    lease(batch);
    inFlight += size;
    setTimeout(() => (inFlight -= size), ANSWER_MS); // a beacon gets no answer
    return true;
  }

  function schedule(ms) {
    timer ??= setTimeout(flush, Math.max(ms, backoff - performance.now()));
  }

  async function flush() {
    clearTimeout(timer);
    timer = undefined;
    fresh = 0;
    if (flushing) return;
    flushing = true;
    const work = async () => {
      let batch;
      while (performance.now() >= backoff && (batch = take()).length) {
        const key = lease(batch);
        if (!locks && (await outbid(key, batch))) return release(key);
        await post(batch, key);
      }
    };
    // Browsers take locks away from a page that they put into the back/forward cache.
    await (locks ? locks.request(prefix, work) : work()).catch(() => (locks = 0));
    flushing = false;
    // Also for events that another tab has leased, since it may close before it gets an answer.
    if (queue().some((event) => event.user_id !== undefined)) {
      schedule(backoff > performance.now() ? 0 : RECHECK_MS);
    }
  }

  // The page may end now: sends everything that is not being sent, without waiting for answers.
  function leave({ type }) {
    if (left) return; // some browsers fire visibilitychange after pagehide
    left = type == "pagehide";
    if (bid) release(bid); // there is no time to wait for other tabs
    if (!KEEPALIVE) leases.forEach(release); // their requests end with the page
    if (performance.now() >= retryAfter) {
      let batch;
      while ((batch = take()).length) {
        if (!left && KEEPALIVE) post(batch);
        else if (!beacon(batch)) break;
      }
    }
    if (left) leases.forEach(release); // so that the next page can send without waiting
  }

  // --- tracking ---

  function forbid(name, expected, value) {
    dropped.invalid++;
    complain(name, "must be", expected + ", but is", value);
  }

  // Returns whether `value` is valid, and logs an error if not.
  function fits(name, type, value) {
    const [expected, test] = TYPES[type];
    return test(value) || forbid(name, expected, value);
  }

  // Returns the own fields to send, or nothing if one is invalid.
  function ownFields(given) {
    if (typeof given != "object") return forbid("fields", "an object", given);
    const types = new Map(FIELDS);
    const own = {};
    for (const [name, value] of Object.entries(given)) {
      const type = types.get(name);
      if (!type) return forbid(name, `a field of the contract (${[...types.keys()]})`, value);
      if (value === null || value === undefined) continue;
      if (!fits(name, type, value)) return;
      own[name] = value; // JSON.stringify writes a Date as text
    }
    return own;
  }

  function track(category, action, value, fields) {
    if (!started() || refuses()) return;
    action ??= undefined;
    value ??= undefined;
    if (!fits("category", "string", category)) return;
    if (action !== undefined && !fits("action", "string", action)) return;
    if (value !== undefined && !fits("value", "int32", value)) return;
    const own = ownFields(fields ?? {});
    if (!own) return;
    const event = {
      event_id: uuid(),
      event_time: time(Date.now()),
      user_id: parsed(prefix + "user") ?? undefined,
      app_name: app,
      event_category: category,
      event_action: action,
      event_value: value,
      ...own,
    };
    const text = JSON.stringify(event);
    const limit = Math.min(EVENT_BYTES, IN_FLIGHT_BYTES - 200); // a longer one could never be sent
    if (bytes(text) > limit) return forbid("an event", `at most ${limit} bytes`, bytes(text));
    put(eventKey(event), text);
    for (const key of keys("event ").slice(0, -QUEUE_EVENTS)) drop(key, "full");
    if (++fresh < BATCH_EVENTS) schedule(BATCH_MS);
    else if (performance.now() >= backoff) flush();
  }

  function view(event) {
    const shown = location.pathname.slice(0, 256);
    if (document.prerendering || (shown == path && !event?.persisted)) return;
    path = shown;
    reached = 0;
    track(path, "page_view");
  }

  function scroll() {
    const page = document.scrollingElement ?? document.documentElement;
    const percent = (100 * (scrollY + innerHeight + 1)) / page.scrollHeight;
    while (reached < 100 && percent >= reached + 25) {
      track(path, "scroll", (reached += 25));
    }
  }

  function click(event) {
    const clicked = event.composedPath().find((each) => each.dataset?.eventCategory !== undefined);
    if (!clicked) return;
    const { eventCategory, eventValue } = clicked.dataset;
    track(eventCategory, "button_click", /^-?\d+$/.test(eventValue) ? +eventValue : eventValue || null);
  }

  function watch() {
    for (const name of ["pushState", "replaceState"]) {
      const original = history[name];
      history[name] = function (...given) {
        original.apply(this, given);
        view();
      };
    }
    addEventListener("popstate", () => view());
    addEventListener("pageshow", (event) => event.persisted && view(event));
    addEventListener("scroll", scroll, { passive: true });
    addEventListener("click", click, true); // before the page can stop it
    document.addEventListener("prerenderingchange", () => view());
    view();
  }

  window.events = {
    init(options) {
      const { key, app_name, endpoint = home, auto = true, respect_privacy_signals = true } =
        options ?? {};
      if (url) return complain("init was called twice");
      if (!isText(app_name)) return complain("init needs an app_name of 1 to 256 characters");
      let batch;
      try {
        batch = new URL(endpoint.replace(/\/*$/, "/batch"), location.href);
        if (!/^https?:/.test(batch)) throw 0;
      } catch {
        return complain("endpoint must be the collector's URL, but is", endpoint);
      }
      app = app_name;
      prefix = `events ${batch} `;
      signals = respect_privacy_signals;
      if (key) batch.searchParams.set("key", key);
      url = batch.href;
      try {
        localStorage.length; // if storage is forbidden, so are locks, and tabs share nothing
        locks = navigator.locks;
      } catch {}
      document.addEventListener("visibilitychange", (event) => {
        if (document.hidden) leave(event);
        else schedule(0);
      });
      addEventListener("pagehide", leave);
      addEventListener("pageshow", () => {
        left = false;
        schedule(BATCH_MS);
      });
      addEventListener("online", () => {
        failures = 0;
        backoff = retryAfter;
        flush();
      });
      if (auto) watch();
      schedule(BATCH_MS); // for events that an earlier page left
    },
    identify(user_id) {
      if (!started()) return;
      if (!isInt(user_id)) {
        return complain("user_id must be a 32-bit integer, but is", user_id);
      }
      if (refuses()) return;
      put(prefix + "user", JSON.stringify(user_id));
      queue();
      schedule(BATCH_MS);
    },
    reset() {
      if (started()) remove(prefix + "user");
    },
    track,
    optOut() {
      if (!started()) return;
      put(OFF, "1");
      refuses();
    },
    optIn() {
      if (started()) remove(OFF);
    },
    stats() {
      const queued = url ? queue() : [];
      const waiting = queued.filter((event) => event.user_id === undefined).length;
      return {
        user_id: parsed(prefix + "user"),
        opted_out: get(OFF) !== null,
        queued: queued.length,
        waiting,
        sent,
        dropped: { ...dropped },
      };
    },
  };

  const given = document.currentScript?.dataset;
  if (given?.appName !== undefined) {
    window.events.init({
      key: given.key,
      app_name: given.appName,
      endpoint: given.endpoint,
      auto: given.auto != "false",
      respect_privacy_signals: given.respectPrivacySignals != "false",
    });
  }
})();
