// Follows the server while the page is seen. Without it the page is whole; it only has to be loaded again by hand.
const EVERY_MS = 5000;
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
  clearInterval(timer);
  document.removeEventListener("visibilitychange", look);
  for (const button of document.querySelectorAll("form button")) button.disabled = true;
  const notice = document.createElement("p");
  notice.className = "notice note warn";
  notice.setAttribute("role", "alert");
  notice.textContent =
    "Another link was opened in this browser. This page no longer follows its server and cannot change it. To come back, open its link again.";
  document.querySelector(".notice")?.remove();
  document.querySelector(".server").after(notice);
}

async function look() {
  if (document.visibilityState !== "visible") return;
  const answer = await fetch("/manage/state", { method: "POST", body: new URLSearchParams({ check }) }).catch(() => null);
  if (answer === null || answer.status >= 500) {
    document.querySelector("#status").textContent = "Not heard of: no connection";
    document.querySelector(".status").dataset.status = "Unknown";
    return;
  }
  if (answer.status === 403) return leftAlone();
  if (answer.status === 404) return location.replace("/manage");
  if (!answer.ok) return;
  const seen = await answer.json();
  if (seen.state !== state && !isInUse()) return location.replace("/manage");
  document.querySelector("#status").textContent = seen.status;
  document.querySelector(".status").dataset.status = seen.status;
  const action = document.querySelector("#action");
  if (action.textContent !== seen.action) action.textContent = seen.action;
}

const timer = setInterval(look, EVERY_MS);
document.addEventListener("visibilitychange", look);
