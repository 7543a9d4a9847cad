// The console's page against a screen that writes down its keys: text typed for three keyboards, and what the page does when
// the stream breaks, the server is off, or the right to it ends.
//
//   node screen.mjs URL FOLDER    pictures go to FOLDER
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { faultsOf, launch, pretend } from "./browser.mjs";
import { uuid } from "./fixtures.mjs";
import { Guest } from "./guest.mjs";

const [url, folder] = process.argv.slice(2);
const axe = await readFile(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const server = uuid(1, 0);
const browser = await launch();
const context = await browser.newContext({ viewport: { width: 1000, height: 700 }, colorScheme: "dark" });
context.setDefaultTimeout(15_000);
const page = await context.newPage();
const faults = faultsOf(page);
const guest = new Guest();
await guest.take(context);
await pretend(page, "empty", true);

// What the control plane says to a wish for a ticket.
let isOn = true;
let tickets = 1;
await page.route(`**/api/v1/servers/${server}/console`, (route) => {
  const refusal = { code: "conflict", message: "The server is Offline.", request_id: "x", retryable: false, details: { fields: [], status: "Offline" } };
  const body = isOn ? { ok: true, data: { url: `${url}/console#ticket${(tickets += 1)}`, expires_at: "2026-06-10 12:01:00" } } : { ok: false, message: refusal.message, error: refusal };
  return route.fulfill({ status: isOn ? 200 : 409, contentType: "application/json", body: JSON.stringify(body) });
});
const inState = (state) => page.waitForSelector(`body[data-state="${state}"]`);
async function judged(name) {
  await page.screenshot({ path: `${folder}/console-${name}.png` });
  await page.evaluate(axe);
  const found = await page.evaluate(async () => (await window.axe.run(document, { resultTypes: ["violations"] })).violations.map((one) => `${one.id}: ${one.help}`));
  assert.deepEqual(found, [], name);
}

try {
  await page.goto(`${url}/console?server=${server}&name=web1#ticket1`);
  await inState("connected");
  assert.deepEqual(guest.tickets, ["ticket1"]);
  assert.ok(!page.url().includes("ticket"), "the ticket is out of the address bar");
  await page.waitForTimeout(300);
  await page.keyboard.type("k");
  await page.waitForTimeout(100);
  assert.deepEqual(guest.keys, ["k"], "the screen has the keys at once");
  await judged("connected");

  await page.getByRole("button", { name: "Type text" }).click();
  const text = page.getByLabel("Text", { exact: true });
  const rows = [
    ["us", "aB{1}~\t\"", ["a", "shift+B", "shift+{", "1", "shift+}", "shift+~", "tab", 'shift+"']],
    // The same places on a US keyboard: z and y change, @ stands at q with AltGr, ß where the minus is.
    ["de", "zY@ß?é^", ["y", "shift+Z", "altgr+q", "-", "shift+_", "=", "e", "`", "space"]],
    ["fr", "a1.éê^", ["q", "shift+!", "shift+<", "2", "[", "e", "altgr+9"]],
  ];
  for (const [layout, typed, keys] of rows) {
    guest.keys = [];
    await page.getByLabel("The guest's keyboard").selectOption(layout);
    await text.fill(typed);
    await page.getByRole("button", { name: "Type it" }).click();
    await page.waitForFunction(() => document.querySelector(".type textarea").value === "");
    assert.deepEqual(guest.keys, keys, layout);
  }
  guest.keys = [];
  await page.getByLabel("The guest's keyboard").selectOption("us");
  await text.fill("50 €");
  await page.getByRole("button", { name: "Type it" }).click();
  await page.getByText("Not on this keyboard: €").waitFor();
  assert.deepEqual(guest.keys, [], "half a text would be worse than none");
  await judged("typing");
  await page.getByRole("button", { name: "Close" }).click();
  await page.keyboard.type("x"); // the screen has the keys again
  await page.waitForTimeout(100);
  assert.deepEqual(guest.keys, ["x"]);

  guest.close(); // a network that broke
  await inState("connected");
  assert.deepEqual(guest.tickets, ["ticket1", "ticket2"]);
  await page.waitForTimeout(300);
  await page.keyboard.type("y");
  await page.waitForTimeout(100);
  assert.deepEqual(guest.keys, ["x", "y"], "as before the break");

  isOn = false;
  guest.close("ended");
  await page.getByText("The server is not running").waitFor();
  await judged("off");
  isOn = true;
  await inState("connected");
  assert.deepEqual(guest.tickets.length, 3);

  guest.close("not_allowed", 4007);
  await inState("ended");
  await page.waitForTimeout(1_200);
  assert.equal(guest.tickets.length, 3, "what is not allowed is not tried again");
  await judged("ended");

  await page.goto(`${url}/console#csp_ct_old`); // a link from elsewhere: no server, so no new ticket
  await inState("connected");
  guest.close("ended");
  await inState("ended");
  assert.deepEqual(faults.filter((fault) => !/status of 409/.test(fault)), []);
  console.log("console: three keyboards, a break, a server that was off, a right that ended");
} catch (why) {
  await page.screenshot({ path: `${folder}/console-failed.png` });
  throw why;
} finally {
  await browser.close();
}
