// Every text that the page can show when there is no screen, by the name with which the control plane closes the
// stream. Those names are the ones of `CloseReason` in control/src/api/console/close.rs.
const again = "Ask for a new console link and open it within a minute.";

const texts = {
  // One text for used, old, foreign and invented links: nothing can be learned from the difference.
  bad_ticket: ["refused", "This link cannot be used", `It was used before, is too old, or is not one. ${again}`],
  not_online: ["refused", "The server is not running", "Start it, then ask for a new console link."],
  host_away: ["refused", "The screen does not answer", `The server's host cannot show it right now. ${again}`],
  too_many: ["refused", "Too many open consoles", "Close one of the others, then ask for a new link."],
  unavailable: ["refused", "The console is busy", `It cannot be opened right now. ${again}`],
  ended: ["ended", "The session has ended", `The screen went away: the server was switched off, or its host was interrupted. ${again}`],
  not_allowed: ["ended", "The session was ended", "This server's console is not open to this link any more."],
  garbage: ["ended", "The session was ended", `The browser sent something that is no console traffic. ${again}`],
  silent: ["ended", "The session has ended", `Nothing was heard of the other side for too long. ${again}`],
  lost: ["ended", "The connection was lost", again],
};

export const textOf = (name) => texts[name] ?? texts.lost;
