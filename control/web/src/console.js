// The console page: swaps the ticket of its address for a stream, and hands that to noVNC.
//
// The ticket stands in the fragment, which no browser sends anywhere, and leaves the address bar before anything else
// happens: it must not end up in a history, a log or a screenshot.
import RFB from "@novnc/novnc";
import { textOf } from "./texts.js";

const $ = (id) => document.getElementById(id);

// The session on show. A link that is opened in this tab changes nothing but the fragment, so the page is not loaded
// anew: its session takes the place of the one before.
let socket;
let rfb;

function show(state, title, text) {
  document.body.dataset.state = state;
  $("state-text").textContent = { connecting: "Connecting", connected: "Connected", ended: "Ended", refused: "Not connected" }[state];
  $("notice-title").textContent = title ?? "";
  $("notice-text").textContent = text ?? "";
  for (const button of document.querySelectorAll(".tools button")) button.disabled = state !== "connected";
}

// The ticket of the address, which then no longer has it.
function takeTicket() {
  const ticket = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  return ticket;
}

function leave() {
  const [screen, stream] = [rfb, socket];
  rfb = socket = undefined;
  if (screen) screen.disconnect();
  else stream?.close();
}

function open(ticket) {
  leave();
  show("connecting", "Connecting to the screen", "This takes a moment.");
  const address = new URL("/console/stream", location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const mine = (socket = new WebSocket(address));
  const ifShown = (act) => (event) => mine === socket && act(event);
  mine.addEventListener("open", ifShown(() => {
    // noVNC first: it takes the socket over while being made, so it misses nothing of what follows the ticket.
    const screen = (rfb = new RFB($("screen"), mine));
    screen.scaleViewport = true;
    screen.background = "transparent";
    screen.addEventListener("connect", ifShown(() => {
      show("connected");
      $("scale").setAttribute("aria-pressed", "true");
      screen.focus({ preventScroll: true });
    }));
    screen.addEventListener("securityfailure", () => mine.close());
    mine.send(ticket);
  }));
  mine.addEventListener("close", ifShown((event) => {
    rfb = socket = undefined; // noVNC ends itself
    show(...textOf(event.reason));
  }));
}

function tool(id, act) {
  $(id).addEventListener("click", () => {
    if (!rfb) return;
    act(rfb);
    rfb.focus({ preventScroll: true }); // keys go to the guest again
  });
}

tool("ctrl-alt-del", (screen) => screen.sendCtrlAltDel());
tool("scale", (screen) => {
  screen.scaleViewport = !screen.scaleViewport;
  screen.clipViewport = !screen.scaleViewport;
  screen.dragViewport = false;
  $("scale").setAttribute("aria-pressed", String(screen.scaleViewport));
});
tool("full", () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen().catch(() => {});
});

window.addEventListener("hashchange", () => {
  const ticket = takeTicket();
  if (ticket) open(ticket);
});
const ticket = takeTicket();
if (ticket) open(ticket);
else show(...textOf("bad_ticket"));
