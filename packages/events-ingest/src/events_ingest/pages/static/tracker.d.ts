/**
 * Sends the events of a web page to an events collector, which serves it as `/tracker.js`:
 *
 *     <script src="https://collector.example/tracker.js" data-key="pk_web" data-app-name="product_1"></script>
 *
 * or, from a script of the page's own, `events.init({ key: "pk_web", app_name: "product_1" })`.
 *
 * An event is kept, in `localStorage` where it can be, until the collector has answered for it.
 * What a method is given and cannot take is told by `console.error`; none of them throws.
 */
declare const events: EventsTracker;

interface EventsTracker {
  /** Starts the tracker, once for a page; with `data-app-name` the script does it by itself. */
  init(options: EventsOptions): void;

  /**
   * Tells whose events these are: a 32-bit integer. Kept until `reset`, also on the pages after
   * this one. Events wait for it: those from before it are this user's too.
   */
  identify(user_id: number): void;

  /** Forgets the user, as when one logs out. Events from now on wait for the next `identify`. */
  reset(): void;

  /**
   * Adds an event of this moment.
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
   * Forgets the user and all events that are not sent yet, and tracks nothing until `optIn`: for
   * all pages of the origin, whatever collector they send to.
   */
  optOut(): void;

  /** Takes `optOut` back. Do Not Track and Global Privacy Control stay honoured. */
  optIn(): void;

  /** Tells what became of the events. */
  stats(): EventsStats;
}

/** The own fields of the contract that the collector was started with (`--contract`). */
interface EventsFields {
}

/** `data-key`, `data-app-name` and so on, where they stand on the script's tag. */
interface EventsOptions {
  /** A public key of the collector, none where it takes events without one. */
  key?: string;
  /** 1 to 256 characters. */
  app_name: string;
  /** The collector's URL, without `/batch`; where the script came from, if not given. */
  endpoint?: string;
  /** Whether page views, clicks and scrolling are tracked; true, if not given. */
  auto?: boolean;
  /** Whether nothing is tracked under Do Not Track or Global Privacy Control; true, if not given. */
  respect_privacy_signals?: boolean;
}

interface EventsStats {
  /** Who `identify` named last; null for nobody. */
  user_id: number | null;
  /** Whether `optOut` was called. */
  opted_out: boolean;
  /** How many events are kept, those of other tabs too. */
  queued: number;
  /** How many of them wait for `identify`. */
  waiting: number;
  /** How many the collector acknowledged to this page. */
  sent: number;
  /** How many this page gave up, by reason. */
  dropped: {
    /** Older than the collector takes. */
    expired: number;
    /** The oldest, where more than 1,000 are kept. */
    full: number;
    /** The collector said that it never takes them. */
    refused: number;
    /** `track` was given what the contract forbids. */
    invalid: number;
  };
}

/** What the event `events:answer` of `window` has as its `detail`. */
interface EventsAnswer {
  /** The HTTP status, 0 where there was no answer. */
  status: number;
  /** The answer's JSON, `{}` where it had none. */
  answer: Record<string, unknown>;
  /** The events that were sent. */
  events: Record<string, unknown>[];
}

interface WindowEventMap {
  /** The collector has answered, or could not be reached. */
  "events:answer": CustomEvent<EventsAnswer>;
}

interface Window {
  /** Not there until the script has run. */
  events?: EventsTracker;
}
