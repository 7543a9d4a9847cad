// Follows the server while the page is seen. Without it the page is whole; it only has to be loaded again by hand.
const EVERY_MS = 5000;
const state = document.body.dataset.state;

for (const time of document.querySelectorAll("time")) {
  const utc = time.textContent;
  const at = new Date(utc.replace(" UTC", "Z").replace(" ", "T"));
  if (!Number.isNaN(at.getTime())) {
    time.textContent = at.toLocaleString();
    time.title = utc;
  }
}

// What somebody has begun to fill in is not taken away.
const isInUse = () => document.querySelector("details[open]") !== null;

async function look() {
  if (document.visibilityState !== "visible") return;
  const answer = await fetch("/manage/state").catch(() => null);
  if (answer === null) return;
  if (answer.status === 404 || answer.status === 403) return location.replace("/manage");
  if (!answer.ok) return;
  const seen = await answer.json();
  if (seen.state !== state && !isInUse()) return location.replace("/manage");
  document.querySelector("#status").textContent = seen.status;
  document.querySelector(".status").dataset.status = seen.status;
  const action = document.querySelector("#action");
  if (action.textContent !== seen.action) action.textContent = seen.action;
}

setInterval(look, EVERY_MS);
