// Opens every page of the panel, from the router's own list, in each state, in light, dark and at 360 px; takes pictures, and
// holds each against: nothing that the browser finds fault with, no wider than the window, and no fault by axe.
//
//   node pages.mjs URL FOLDER [--few]    pictures go to FOLDER; --few: each page with a thousand rows and in one
//   other state, looks taken in turn; dialogs are always opened once
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { faultsOf, launch, NOW, pretend } from "./browser.mjs";
import { uuid } from "./fixtures.mjs";

const [url, folder, few, only] = process.argv.slice(2);
const routes = JSON.parse(await readFile(new URL("../../../control/web/dist/routes.json", import.meta.url), "utf8"));
const axe = await readFile(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const STATES = ["thousand", "empty", "loading", "error"];
const LOOKS = {
  light: { colorScheme: "light", viewport: { width: 1280, height: 860 } },
  dark: { colorScheme: "dark", viewport: { width: 1280, height: 860 } },
  phone: { colorScheme: "light", viewport: { width: 360, height: 740 } },
};
/** Pages of letters have their token behind `#`. */
const TOKENS = { reset: "#csp_ml_0", confirmEmail: "#csp_ml_0", signUp: "#csp_ml_0" };
/** Dialogs, by the page and the button that opens them. */
const DIALOGS = [
  ["server", "Shut down"], ["server", "Pay ahead"], ["serverNetwork", "Move 203.0.113.100"], ["serverLinks", "New link"], ["serverSettings", "Change the package"],
  ["serverSettings", "Set a new password"], ["serverSettings", "Reinstall"], ["networks", "New private network"], ["sshKeys", "Add a key"], ["apiKeys", "New key"], ["account", "Sign out everywhere"],
];
const WORKERS = 2;

const address = (name) => url + routes[name].path.replace(":uuid", uuid(name === "network" ? 8 : 1, 0)) + (TOKENS[name] ?? "");
const jobs = Object.keys(routes).flatMap((name, row) =>
  (few === "--few" ? [STATES[0], STATES[1 + (row % 3)]] : STATES).flatMap((state, column) => {
    const looks = Object.keys(LOOKS);
    return (few === "--few" ? [looks[(row + column) % looks.length]] : looks).map((look) => ({ name, state, look }));
  }),
).concat(DIALOGS.map(([name, opens], row) => ({ name, state: "thousand", look: ["phone", "dark"][row % 2], opens })))
  .concat({ name: "servers", state: "terms", look: "phone" })
  .filter((job) => !only || job.name === only);

async function judge(page, { name, state, look }) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= LOOKS[look].viewport.width, `${wide} px wide`);
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
    return violations.map((one) => `${one.id}: ${one.help}: ${one.nodes.map((node) => node.html.slice(0, 160)).slice(0, 3).join(" | ")}`);
  });
  assert.deepEqual(found, []);
  const bones = await page.locator("[data-loading]").count();
  if (state !== "loading") assert.equal(bones, 0, "something is still loading");
  else assert.ok(bones > 0 || (await page.locator("form, .note, .primary").count()) > 0, "nothing says that it is loading");
}

/** One browser for each look: what was loaded once is kept, as for people. */
async function openBrowsers(browser) {
  const opened = Object.entries(LOOKS).map(async ([name, options]) => {
    const context = await browser.newContext({ ...options, timezoneId: "Europe/Berlin", locale: "en-GB", reducedMotion: "reduce" });
    await context.clock.setFixedTime(NOW);
    return [name, context];
  });
  return Object.fromEntries(await Promise.all(opened));
}

async function look(contexts, job) {
  const { name, state } = job;
  const page = await contexts[job.look].newPage();
  const faults = faultsOf(page);
  await pretend(page, state, routes[name].door !== "out");
  await page.goto(address(name));
  await page.waitForSelector("h1, [data-loading], [role=alert] h2", { timeout: 15_000 });
  if (state !== "loading") await page.waitForFunction(() => !document.querySelector("[data-loading], .price[aria-busy=true]"), null, { timeout: 15_000 });
  await page.waitForTimeout(150);
  if (job.opens) {
    await page.getByRole("button", { name: job.opens, exact: true }).click();
    await page.waitForFunction(() => document.querySelector("dialog[open]")?.contains(document.activeElement), null, { timeout: 5_000 });
    await page.waitForTimeout(400); // a price may be asked
  }
  const what = job.opens ? job.opens.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-") : state;
  await page.screenshot({ path: `${folder}/${name}-${what}-${job.look}.png`, fullPage: !job.opens && (state !== "thousand" || job.look === "light") });
  await judge(page, job);
  assert.deepEqual(faults, []);
  await page.close();
}

const browser = await launch();
const contexts = await openBrowsers(browser);
const bad = [];
const waiting = [...jobs];
await Promise.all(Array.from({ length: WORKERS }, async () => {
  for (let job = waiting.shift(); job; job = waiting.shift()) {
    await look(contexts, job).catch((why) => bad.push(`${job.name}, ${job.opens ?? job.state}, ${job.look}: ${why.message}`));
  }
}));
await browser.close();
for (const why of bad) console.error(why);
console.log(`panel: ${jobs.length} pictures of ${Object.keys(routes).length} pages, ${bad.length} faults`);
process.exit(bad.length ? 1 : 0);
