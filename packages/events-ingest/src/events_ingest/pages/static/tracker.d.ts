/**
 * Sends the events of a web page to an events collector, which serves it as `/tracker.js`:
 *
 *     <script src="https://collector.example/tracker.js" data-key="pk_web" data-app-name="product_1"></script>
 *
 * or, from the page's own script, `events.init({ key: "pk_web", app_name: "product_1" })`.
 *
 * Each event is kept until the collector has answered, in `localStorage` if possible. The methods
 * never throw: they report invalid arguments with `console.error`.
 */
declare const events: EventsTracker;

interface EventsTracker {
  /** Starts the tracker, once per page; with `data-app-name` the script calls it itself. */
  init(options: EventsOptions): void;

  /**
   * Sets the user of the events, a 32-bit integer. It stays set until `reset`, also on later
   * pages. Events are sent only after this call; earlier ones then belong to this user too.
   */
  identify(user_id: number): void;

  /** Forgets the user, such as after a logout. New events wait for the next `identify`. */
  reset(): void;

  /**
   * Adds an event with the current time.
   *
   * @param category 1 to 256 characters
   * @param action 1 to 256 characters, or none
   * @param value a 32-bit integer, or none
   * @param fields the contract's own fields, or none
   */
  track(
    category: string,
    action?: string | null,
    value?: number | null,
    fields?: EventsFields | null,
  ): void;

  /**
   * Forgets the user and all events that are not yet sent, and tracks nothing until `optIn`. It
   * applies to all pages of the origin, whatever collector they send to.
   */
  optOut(): void;

  /** Reverses `optOut`. Do Not Track and Global Privacy Control are still honoured. */
  optIn(): void;

  /** Returns how many events are kept, sent and dropped. */
  stats(): EventsStats;
}

/** The own fields of the contract that the collector was started with (`--contract`). */
interface EventsFields {
}

/** The options of `init`, or the attributes of the script's tag: `data-key`, `data-app-name`... */
interface EventsOptions {
  /** A public key of the collector; leave it out if the collector accepts events without a key. */
  key?: string;
  /** 1 to 256 characters. */
  app_name: string;
  /** The collector's URL, without `/batch`; by default where the script came from. */
  endpoint?: string;
  /** Whether to track page views, clicks and scrolling; true by default. */
  auto?: boolean;
  /** Whether to track nothing under Do Not Track or Global Privacy Control; true by default. */
  respect_privacy_signals?: boolean;
}

interface EventsStats {
  /** The user of the last `identify`, or null. */
  user_id: number | null;
  /** Whether `optOut` was called. */
  opted_out: boolean;
  /** How many events are kept, including those of other tabs. */
  queued: number;
  /** How many of them wait for `identify`. */
  waiting: number;
  /** How many events of this page the collector has acknowledged. */
  sent: number;
  /** How many events this page has dropped, by reason. */
  dropped: {
    /** Older than the collector accepts. */
    expired: number;
    /** The oldest, because more than 1,000 were kept. */
    full: number;
    /** The collector refused them for good. */
    refused: number;
    /** `track` was called with invalid arguments. */
    invalid: number;
  };
}

/** The `detail` of the event `events:answer` on `window`. */
interface EventsAnswer {
  /** The HTTP status, or 0 if there was no answer. */
  status: number;
  /** The answer's JSON, or `{}` if it had none. */
  answer: Record<string, unknown>;
  /** The events that were sent. */
  events: Record<string, unknown>[];
}

interface WindowEventMap {
  /** The collector has answered, or could not be reached. */
  "events:answer": CustomEvent<EventsAnswer>;
}

interface Window {
  /** Undefined until the script has run. */
  events?: EventsTracker;
}
