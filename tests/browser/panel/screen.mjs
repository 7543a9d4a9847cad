// The console's page against a screen that writes down its keys: text typed for some keyboards and stopped, whose name stands
// above it, and what the page does when the stream breaks, the server is off or busy, or the right to it ends.
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

// What the control plane says to a wish for a ticket: a code and what is seen of the server, or nothing where it gives one.
let refused;
let tickets = 0;
const OFF = [409, "conflict", { status: "Offline", service_status: "active" }];
const RAW = "A sentence of the API, which is for who wrote the request.";
await page.route(`**/api/v1/servers/${server}/console`, (route) => {
  const [status, code, seen] = refused ?? [200];
  const refusal = { code, message: RAW, request_id: "x", retryable: false, details: { fields: [], ...seen } };
  const body = refused ? { ok: false, message: RAW, error: refusal } : { ok: true, data: { url: `${url}/console#ticket${(tickets += 1)}`, expires_at: "2026-06-10 12:01:00" } };
  return route.fulfill({ status, contentType: "application/json", body: JSON.stringify(body) });
});
const inState = (state) => page.waitForSelector(`body[data-state="${state}"]`);
async function judged(name) {
  await page.screenshot({ path: `${folder}/console-${name}.png` });
  await page.evaluate(axe);
  const found = await page.evaluate(async () => (await window.axe.run(document, { resultTypes: ["violations"] })).violations.map((one) => `${one.id}: ${one.help}`));
  assert.deepEqual(found, [], name);
}

try {
  await page.goto(`${url}/console?server=${server}&name=Somebody+else`);
  await inState("connected");
  const heading = () => page.getByRole("heading", { level: 1 }).textContent();
  assert.equal(await heading(), "web1.example.com", "what the control plane calls it, whatever the address says");
  assert.match(await page.title(), /^web1\.example\.com /);
  assert.deepEqual(guest.tickets, ["ticket1"]);
  assert.ok(!page.url().includes("ticket"), "the ticket is out of the address bar");
  await page.waitForTimeout(300);
  await page.keyboard.type("k");
  await page.waitForTimeout(100);
  assert.deepEqual(guest.keys, ["k"], "the screen has the keys at once");
  await judged("connected");

  // Without a mouse the screen is left by one combination, which does not reach the guest and leaves nothing down in it.
  const focused = () => page.evaluate(() => [document.activeElement.tagName, document.activeElement.textContent.trim()]);
  guest.keys = [];
  await page.keyboard.press("Tab");
  await page.keyboard.press("Control+Alt+Home");
  await page.waitForTimeout(100);
  assert.deepEqual([guest.keys, guest.held.size], [["tab"], 0], "Tab is the guest's");
  assert.deepEqual(await focused(), ["BUTTON", "To the screen"]);
  assert.ok(await page.getByText("Ctrl + Alt + Home").isVisible());
  await page.keyboard.press("Tab");
  assert.deepEqual(await focused(), ["BUTTON", "Ctrl + Alt + Del"]);
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Enter");
  assert.deepEqual(await focused(), ["CANVAS", ""]);
  await page.keyboard.type("b");
  await page.waitForTimeout(100);
  assert.deepEqual(guest.keys, ["tab", "b"], "the screen has the keys again");

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
  // Long, and stopped on the way: no key follows, and none is left down.
  guest.keys = [];
  await page.getByLabel("The guest's keyboard").selectOption("pl");
  await text.fill("Ąą".repeat(200));
  for (const stop of [() => page.getByRole("button", { name: "Stop" }).click(), () => page.keyboard.press("Escape")]) {
    await page.getByRole("button", { name: "Type it" }).click();
    await page.getByText(/^[5-9] of 400 characters/).waitFor();
    await stop();
    await page.getByText(/^Stopped after \d+ of 400 characters/).waitFor();
    const typed = guest.keys.length;
    await page.waitForTimeout(200);
    assert.equal(guest.keys.length, typed, "no key after it was stopped");
    assert.deepEqual([guest.held.size, guest.keys.slice(0, 2)], [0, ["shift+altgr+A", "altgr+a"]]);
    assert.ok(typed < 100, `${typed} keys`);
    assert.equal(await text.inputValue(), "Ąą".repeat(200), "the text is still there");
    guest.keys = [];
  }
  // Broken off by the network: the same, and the text and the keys stay where they are.
  await text.fill("Ąą".repeat(200));
  await page.getByRole("button", { name: "Type it" }).click();
  await page.getByText(/^[5-9] of 400 characters/).waitFor();
  await text.focus();
  const before = guest.tickets.length;
  guest.close();
  await page.getByText(/^Stopped after \d+ of 400 characters/).waitFor();
  await page.waitForFunction(() => document.body.dataset.state === "connected");
  await page.waitForTimeout(300);
  assert.equal(guest.tickets.length, before + 1);
  assert.equal(await text.inputValue(), "Ąą".repeat(200), "a break takes no text along");
  await page.getByText(/^Stopped after \d+ of 400 characters/).waitFor();
  assert.ok(await text.evaluate((one) => one === document.activeElement), "the next screen does not take the keys away");
  guest.keys = [];
  await page.getByLabel("The guest's keyboard").selectOption("us");
  await text.fill("50 €");
  await page.getByRole("button", { name: "Type it" }).click();
  await page.getByText("Not on this keyboard: €").waitFor();
  assert.deepEqual(guest.keys, [], "half a text would be worse than none");
  // What cannot be seen is told by its number; a space that does not break is a space.
  await text.fill("a\u200b\u202f\u00a0\u0007€");
  await page.getByRole("button", { name: "Type it" }).click();
  await page.getByText("Not on this keyboard: U+200B (zero width space) U+202F (narrow no-break space) U+0007 €. Nothing was typed.").waitFor();
  await text.fill("a\u00a0b");
  await page.getByRole("button", { name: "Type it" }).click();
  await page.waitForFunction(() => document.querySelector(".type textarea").value === "");
  assert.deepEqual(guest.keys, ["a", "space", "b"]);
  guest.keys = [];
  // A page of another script: some of it is named. And nothing is typed of what nobody waits for.
  const cyrillic = Array.from({ length: 50 }, (_, at) => String.fromCharCode(0x410 + at)).join("");
  await text.fill(cyrillic);
  await page.getByRole("button", { name: "Type it" }).click();
  await page.getByText(`Not on this keyboard: ${[...cyrillic].slice(0, 20).join(" ")} and 30 more. Nothing was typed.`).waitFor();
  await page.getByText("At most 10,000 characters.").waitFor();
  await text.fill("a".repeat(10_001));
  await page.getByText("These are 10,001 characters, which is too long.").waitFor();
  await page.getByRole("button", { name: "Type it" }).click();
  await page.waitForTimeout(200);
  assert.deepEqual(guest.keys, []);
  await text.fill("50 €");
  await page.getByRole("button", { name: "Type it" }).click();
  await page.getByText("Not on this keyboard: €").waitFor();
  await judged("typing");
  await page.getByRole("button", { name: "Close" }).click();
  await page.keyboard.type("x"); // the screen has the keys again
  await page.waitForTimeout(100);
  assert.deepEqual(guest.keys, ["x"]);

  guest.close(); // a network that broke
  await inState("connected");
  assert.deepEqual(guest.tickets, ["ticket1", "ticket2", "ticket3"]);
  await page.waitForTimeout(300);
  await page.keyboard.type("y");
  await page.waitForTimeout(100);
  assert.deepEqual(guest.keys, ["x", "y"], "as before the break");

  refused = OFF;
  guest.close("ended");
  await page.getByText("The server is not running").waitFor();
  await judged("off");
  refused = [409, "server_busy", { status: "Reinstalling", service_status: "active" }];
  await page.getByText("The server is being set up").waitFor();
  refused = undefined;
  await inState("connected");
  assert.equal(guest.tickets.length, 4);

  guest.close("not_allowed", 4007);
  await inState("ended");
  await page.waitForTimeout(1_200);
  assert.equal(guest.tickets.length, 4, "what is not allowed is not tried again");
  await judged("ended");

  // What nobody waits for in vain is told in words for whoever reads it here.
  for (const [why, words] of [
    [[403, "terms_not_accepted"], "Our terms have changed"],
    [[409, "conflict", { status: "Suspended", service_status: "suspended" }], "The server is suspended"],
    [[401, "unauthorized"], "You are signed out"],
    [[404, "not_found"], "There is no such server"],
  ]) {
    refused = why;
    await page.reload();
    await page.getByRole("heading", { name: words }).waitFor();
    assert.equal(await page.getByText(RAW).count(), 0);
    await judged(why[1] === "conflict" ? "suspended" : why[1]);
    assert.ok(["refused", "ended"].includes(await page.evaluate(() => document.body.dataset.state)), words);
  }
  refused = undefined;

  // A ticket from elsewhere, beside the name of a server of ours: it shows whatever it opens, under no name.
  await page.goto(`${url}/console?server=${server}#csp_ct_old`);
  await inState("connected");
  guest.close("ended");
  await inState("ended");
  assert.equal(await heading(), "Console");

  // What is never answered is not waited for: a ticket, and a stream that does not open.
  {
    const other = await browser.newContext();
    other.setDefaultTimeout(15_000);
    await other.clock.install();
    await other.addInitScript(() => {
      window.opened = 0;
      window.WebSocket = class extends EventTarget {
        constructor() {
          super();
          window.opened += 1;
        }
        close() {}
      };
    });
    const bare = await other.newPage();
    await pretend(bare, "empty", true);
    const asked = [];
    await bare.route(`**/api/v1/servers/${server}/console`, (route) => void asked.push(route));
    await bare.goto(`${url}/console?server=${server}`);
    await bare.waitForSelector('body[data-state="connecting"]');
    await bare.clock.runFor(15_500);
    await bare.waitForSelector('body[data-state="waiting"]');
    await bare.getByText("The connection was lost").waitFor();
    await bare.getByRole("button", { name: "Connect now" }).click();
    await bare.waitForTimeout(200);
    assert.ok(asked.length >= 2, `${asked.length} wishes`);
    await asked.at(-1).fulfill({ contentType: "application/json", body: JSON.stringify({ ok: true, data: { url: `${url}/console#t` } }) });
    await bare.waitForFunction(() => window.opened === 1);
    await bare.waitForSelector('body[data-state="connecting"]');
    await bare.clock.runFor(15_000);
    await bare.waitForSelector('body[data-state="waiting"]');
    await bare.getByRole("button", { name: "Connect now" }).waitFor();
    await other.close();
  }

  // The bar reaches from edge to edge, also in a browser that keeps a place for scroll bars.
  const wide = await launch({ ignoreDefaultArgs: ["--hide-scrollbars"] });
  for (const width of [360, 768, 1280]) {
    const other = await wide.newContext({ viewport: { width, height: 640 }, hasTouch: width < 500, colorScheme: "light" });
    const own = new Guest();
    await own.take(other);
    const bare = await other.newPage();
    await pretend(bare, "empty", true);
    await bare.route(`**/api/v1/servers/${server}/console`, (route) => route.fulfill({ contentType: "application/json", body: JSON.stringify({ ok: true, data: { url: `${url}/console#t` } }) }));
    await bare.goto(`${url}/console?server=${server}`);
    await bare.waitForSelector('body[data-state="connected"]');
    await bare.getByRole("heading", { name: "web1.example.com" }).waitFor();
    await bare.screenshot({ path: `${folder}/console-${width}.png` });
    const edges = await bare.evaluate(() => {
      const bar = document.querySelector("header").getBoundingClientRect();
      const lines = document.querySelector("#state-text").getClientRects().length;
      return [bar.left, bar.right - innerWidth, document.documentElement.scrollWidth - innerWidth, lines, bar.height < 130];
    });
    assert.deepEqual(edges, [0, 0, 0, 1, true], `${width} px`);
    await other.close();
  }
  await wide.close();

  assert.deepEqual(faults.filter((fault) => !/status of (403|409)/.test(fault)), []);
  console.log("console: four keyboards, a text that was stopped, a break, a server that was off or busy, a right that ended");
} catch (why) {
  await page.screenshot({ path: `${folder}/console-failed.png` });
  throw why;
} finally {
  await browser.close();
}
