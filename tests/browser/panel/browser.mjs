// The browser, and a control plane that says what a test wants.
import { chromium } from "playwright-core";
import { answers, person } from "./fixtures.mjs";

export const launch = (more = {}) =>
  chromium.launch({
    ...more,
    executablePath: "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });

/** The time of the fixtures. */
export const NOW = new Date(Date.UTC(2026, 5, 10, 12));
const REFUSAL = {
  ok: false, message: "The control plane cannot be asked right now. Try again in a moment.",
  error: { code: "unavailable", message: "The control plane cannot be asked right now. Try again in a moment.", request_id: "01975a3e-7c00-7a51-8f3e-5b1d2c9e4f07", retryable: true, details: { fields: [] } },
};
const SIGNED_OUT = { ok: false, error: { code: "unauthorized", message: "You are not signed in.", request_id: "x", retryable: false, details: { fields: [] } } };
/** What a page needs to be there at all; answered in every state. */
const ALWAYS = [/^\/panel\/v1\/site$/, /^\/panel\/v1\/person$/];

/** Answers what a page asks, as `state` says: `loading` (never), `error`, `empty`, `thousand`, or `terms` (that are new). */
export async function pretend(page, state, isIn) {
  const known = answers(state === "thousand" ? 1000 : 0);
  await page.route(/\/(api\/v1|panel\/v1)\//, async (route) => {
    const url = new URL(route.request().url());
    const json = (status, body) => route.fulfill({ status, contentType: "application/json", body: JSON.stringify(body) });
    if (url.pathname === "/api/v1/events") return undefined; // nothing happens
    if (url.pathname === "/panel/v1/person" && !isIn) return json(401, SIGNED_OUT);
    if (url.pathname === "/panel/v1/person" && state === "terms") return json(200, { ok: true, data: { ...person, terms_to_accept: "2026-11" } });
    const isAlways = ALWAYS.some((form) => form.test(url.pathname));
    if (!isAlways && state === "loading") return undefined;
    if (!isAlways && state === "error") return json(503, REFUSAL);
    const asked = url.pathname + (url.searchParams.has("dry_run") ? "?dry_run" : "");
    const found = known.find(([form]) => form.test(asked));
    return found ? json(200, { ok: true, ...found[1] }) : json(404, REFUSAL);
  });
}

/** What a browser finds fault with by itself, violations of the content security policy among it. */
export function faultsOf(page) {
  const faults = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => message.type() === "error" && !/status of (401|404|503)/.test(message.text()) && faults.push(message.text()));
  return faults;
}
