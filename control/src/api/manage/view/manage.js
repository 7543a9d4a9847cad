// Follows the server while the page is seen. Without it the page is whole; it only has to be loaded again by hand.
const EVERY_MS = 5000;
// After an answer that did not come or was none: twice as long each time, up to this.
const SLOWEST_MS = 60000;
const state = document.body.dataset.state;
// Whose page this is. The cookie may be that of another link which this browser opened since.
const check = document.querySelector("input[name=check]").value;

// What was told once is not told again on a reload.
if (location.search) history.replaceState(null, "", location.pathname);

for (const time of document.querySelectorAll("time")) {
  const utc = time.textContent;
  const at = new Date(utc.replace(" UTC", "Z").replace(" ", "T"));
  if (!Number.isNaN(at.getTime())) {
    time.textContent = at.toLocaleString("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
    time.title = utc;
  }
}

// What somebody has begun to fill in is not taken away.
const isInUse = () => document.querySelector("details[open]") !== null;

// The page stays what it is and changes nothing more: what is pressed here would be meant for this server.
function leftAlone() {
  isOver = true;
  for (const button of document.querySelectorAll("form button")) button.disabled = true;
  const notice = document.createElement("p");
  notice.className = "notice note warn";
  notice.setAttribute("role", "alert");
  notice.textContent =
    "Another link was opened in this browser. This page no longer follows its server and cannot change it. To come back, open its link again.";
  document.querySelector(".notice")?.remove();
  document.querySelector(".server").after(notice);
}

// Numbers and lines, each where it stands already.
const usage = document.querySelector(".usage");
function move({ mark, silent, figures }) {
  usage.dataset.mark = mark;
  usage.querySelector("p").hidden = !silent;
  usage.querySelector(".curves").hidden = silent && figures.every((figure) => !figure.line);
  usage.querySelectorAll("figure").forEach((place, at) => {
    place.querySelector("strong").textContent = figures[at].now;
    place.querySelector("svg").setAttribute("aria-label", figures[at].words);
    place.querySelector("path").setAttribute("d", figures[at].line);
  });
}

// Answers whether something was heard.
async function ask() {
  const body = new URLSearchParams({ check, ...(usage && { mark: usage.dataset.mark }) });
  const answer = await fetch("/manage/state", { method: "POST", body }).catch(() => null);
  if (answer === null || answer.status >= 500) {
    document.querySelector("#status").textContent = "Not heard of: no connection";
    document.querySelector(".status").dataset.status = "Unknown";
    return false;
  }
  if (answer.status === 403) leftAlone();
  if (answer.status === 404) location.replace("/manage");
  const seen = answer.ok && (await answer.json().catch(() => null));
  if (!seen) return false;
  if (seen.state !== state && !isInUse()) location.replace("/manage");
  document.querySelector("#status").textContent = seen.status;
  document.querySelector(".status").dataset.status = seen.status;
  const action = document.querySelector("#action");
  if (action.textContent !== seen.action) action.textContent = seen.action;
  if (usage && seen.usage) move(seen.usage);
  return true;
}

// One question at a time, and none while nobody looks.
let isOver = false;
let isAsking = false;
let wait = EVERY_MS;
let timer;
async function look() {
  clearTimeout(timer);
  if (isAsking || isOver || document.visibilityState !== "visible") return;
  isAsking = true;
  wait = (await ask()) ? EVERY_MS : Math.min(2 * wait, SLOWEST_MS);
  isAsking = false;
  if (!isOver) timer = setTimeout(look, wait);
}

timer = setTimeout(look, wait);
document.addEventListener("visibilitychange", look);
addEventListener("online", look);
