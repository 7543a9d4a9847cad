// The server behind the links, asked by its owner's key; and browsers that follow them.
import assert from "node:assert/strict";
import { launch } from "../panel/browser.mjs";
import { Guest } from "../panel/guest.mjs";

const WAIT_MS = 20_000;
const [url, key] = process.argv.slice(2);
export const origin = url;
export const browser = await launch();

export async function call(method, path, body) {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const answer = await fetch(`${url}/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
  const said = await answer.json();
  assert.equal(answer.status, 200, `${method} ${path}: ${JSON.stringify(said)}`);
  return said.data;
}

export const [server] = await call("GET", "/servers");
const links = `/servers/${server.uuid}/share-links`;

export function makeLink(granted) {
  const permissions = Object.fromEntries(granted.map((name) => [name, true]));
  return call("POST", links, { label: "Browser test", permissions });
}

export const revoke = (link) => call("DELETE", `${links}/${link.uuid}`);

/** The newest things that were asked of the server. */
export const actions = () => call("GET", `/servers/${server.uuid}/actions`);

export async function becomes(status) {
  for (let tries = 0; tries < 100; tries += 1) {
    const seen = await call("GET", `/servers/${server.uuid}`);
    if (seen.status === status) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`the server is not ${status}`);
}

/** Brings the server there by its owner's key, once nothing else is under way. */
export async function bring(status) {
  while (["queued", "running"].includes((await actions())[0]?.status)) await new Promise((resolve) => setTimeout(resolve, 50));
  await call("POST", `/servers/${server.uuid}/${status === "Online" ? "start" : "stop"}`);
  await becomes(status);
}

/** A browser of its own, that writes down what it finds fault with, and each Referer that it sends. Its screens are a guest's. */
export async function open(options, path) {
  const context = await browser.newContext({ viewport: { width: 900, height: 900 }, ...options });
  context.setDefaultTimeout(WAIT_MS);
  const guest = new Guest();
  if (options.javaScriptEnabled !== false) await guest.take(context);
  const page = await context.newPage();
  const seen = { faults: [], referers: [] };
  page.on("pageerror", (error) => seen.faults.push(String(error)));
  page.on("console", (message) => message.type() === "error" && seen.faults.push(message.text()));
  page.on("request", async (request) => seen.referers.push((await request.allHeaders().catch(() => ({}))).referer ?? ""));
  await page.goto(path);
  return { context, page, seen, guest };
}

/** Presses the button for the console; answers its page. */
export async function openConsole({ context, page }) {
  const button = page.locator('form[action="/manage/console"] button:enabled');
  const [tab] = await Promise.all([context.waitForEvent("page"), button.click()]);
  await tab.waitForSelector('body[data-state="connected"]');
  return tab;
}

/** Types the host's name and presses what erases; the page shows the new password. */
export async function reinstall(page) {
  await page.locator("summary").click();
  await page.fill("#confirm", server.hostname);
  await page.locator("button.danger").click();
  await page.waitForSelector("code.password");
}
