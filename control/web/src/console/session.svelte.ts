// One screen: connected, or on the way to it, or why not. It comes back by itself where it can get new tickets.
import RFB from "@novnc/novnc";
import { tick } from "svelte";
import { PATIENCE_MS, type Way } from "./ticket";
import { t, wordsOf } from "./texts";

export type State = keyof typeof t.states;

/** How long is waited before each next attempt; the last one stays. */
const WAITS_MS = [500, 1_000, 2_000, 4_000, 5_000];

export class Session {
  state = $state<State>("connecting");
  title = $state(t.connectingTitle);
  text = $state(t.connecting);
  attempts = $state(0);
  fits = $state(true);
  /** The screen, while it is connected. */
  screen = $state.raw<RFB>();
  #socket: WebSocket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The server's name, once it is known. */
  name = $state("");
  #way: Way | undefined;
  /** The wish for a ticket that counts: who does not want to wait for one makes another. */
  #asked = {};

  constructor(readonly place: () => HTMLElement | undefined) {}

  /** Begins with a ticket, or without one by getting it; `way` brings more, where they can be had. */
  begin(ticket: string, way: Way | undefined) {
    this.#way = way;
    this.name = "";
    void way?.name().then((name) => way === this.#way && (this.name = name));
    if (ticket) this.#open(ticket);
    else void this.again();
  }

  /** Opens the screen, in place of the one on show. */
  #open(ticket: string) {
    this.#leave();
    this.#connecting();
    const address = new URL("/console/stream", location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const mine = (this.#socket = new WebSocket(address));
    const ifShown = <E>(act: (event: E) => void) => (event: E) => {
      if (mine === this.#socket) act(event);
    };
    // A network that swallows everything closes nothing.
    this.#timer = setTimeout(ifShown(() => {
      this.#leave();
      this.#ended("lost");
    }), PATIENCE_MS);
    mine.addEventListener("open", ifShown(() => {
      clearTimeout(this.#timer);
      const place = this.place();
      if (!place) return;
      // noVNC first: it takes the socket over while being made, so it misses nothing of what follows the ticket.
      const screen = new RFB(place, mine);
      this.#scale(screen);
      screen.background = "transparent";
      screen.addEventListener("connect", ifShown(() => {
        this.attempts = 0;
        this.state = "connected";
        this.screen = screen;
        // Not before the page shows it: what is hidden takes no focus, and keys would go nowhere.
        // Who is just writing a text keeps the keys: the rest of a password would go to the guest, bare.
        void tick().then(() => document.activeElement?.closest("form") || screen.focus({ preventScroll: true }));
      }));
      screen.addEventListener("securityfailure", () => mine.close());
      mine.send(ticket);
    }));
    mine.addEventListener("close", ifShown((event: CloseEvent) => {
      this.#socket = undefined;
      this.screen = undefined; // noVNC ends itself
      this.#ended(event.reason);
    }));
  }

  /** With a new ticket, where one can be had. */
  again = async () => {
    clearTimeout(this.#timer);
    const way = this.#way;
    if (!way) return this.#ended("bad_ticket");
    if (this.state !== "waiting") this.#connecting();
    this.attempts += 1;
    const mine = (this.#asked = {});
    const answer = await way.renew();
    if (way !== this.#way || mine !== this.#asked) return; // another ticket was opened in this tab meanwhile, or asked for
    if ("ticket" in answer) this.#open(answer.ticket);
    else this.#ended(answer.why);
  };

  scale = () => {
    this.fits = !this.fits;
    if (this.screen) this.#scale(this.screen);
  };

  #scale(screen: RFB) {
    screen.scaleViewport = this.fits;
    screen.clipViewport = !this.fits;
    screen.dragViewport = false;
  }

  #connecting() {
    this.state = "connecting";
    this.title = t.connectingTitle;
    this.text = t.connecting;
  }

  #ended(reason: string) {
    const words = wordsOf(reason);
    this.title = words.title;
    if (!this.#way || !words.soon) {
      this.state = words.state;
      this.text = words.text;
      return;
    }
    this.state = "waiting";
    this.text = words.soon;
    const wait = WAITS_MS[Math.min(this.attempts, WAITS_MS.length - 1)];
    this.#timer = setTimeout(this.again, wait);
  }

  #leave() {
    clearTimeout(this.#timer);
    const [screen, socket] = [this.screen, this.#socket];
    this.screen = undefined;
    this.#socket = undefined;
    if (screen) screen.disconnect();
    else socket?.close();
  }
}
