// The console page: swaps the ticket of its address for a stream, and hands that to noVNC.
//
// The ticket stands in the fragment, which no browser sends anywhere, and leaves the address bar before anything else
// happens: it must not end up in a history, a log or a screenshot.
import RFB from "@novnc/novnc";
import { textOf } from "./texts.js";

const $ = (id) => document.getElementById(id);
const ticket = location.hash.slice(1);
history.replaceState(null, "", location.pathname);

function show(state, title, text) {
  document.body.dataset.state = state;
  $("state-text").textContent = { connecting: "Connecting", connected: "Connected", ended: "Ended", refused: "Not connected" }[state];
  $("notice-title").textContent = title ?? "";
  $("notice-text").textContent = text ?? "";
  for (const button of document.querySelectorAll(".tools button")) button.disabled = state !== "connected";
}

function open() {
  const address = new URL("/console/stream", location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(address);
  let rfb;
  socket.addEventListener("open", () => {
    // noVNC first: it takes the socket over while being made, so it misses nothing of what follows the ticket.
    rfb = new RFB($("screen"), socket);
    rfb.scaleViewport = true;
    rfb.background = "transparent";
    rfb.addEventListener("connect", () => {
      show("connected");
      rfb.focus({ preventScroll: true });
    });
    rfb.addEventListener("securityfailure", () => socket.close());
    tools(rfb);
    socket.send(ticket);
  });
  socket.addEventListener("close", (event) => show(...textOf(event.reason)));
}

function tools(rfb) {
  const and_back = (act) => () => {
    act();
    rfb.focus({ preventScroll: true }); // keys go to the guest again
  };
  $("ctrl-alt-del").addEventListener("click", and_back(() => rfb.sendCtrlAltDel()));
  $("scale").addEventListener("click", and_back(() => {
    rfb.scaleViewport = !rfb.scaleViewport;
    rfb.clipViewport = !rfb.scaleViewport;
    rfb.dragViewport = false;
    $("scale").setAttribute("aria-pressed", String(rfb.scaleViewport));
  }));
  $("full").addEventListener("click", and_back(() => {
    if (document.fullscreenElement) document.exitFullscreen();
    else document.documentElement.requestFullscreen().catch(() => {});
  }));
}

if (ticket) open();
else show(...textOf("bad_ticket"));
