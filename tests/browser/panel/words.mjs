// What the panel says of money, memory, places and refusals, and that it asks before it changes a password.
//
//   node words.mjs URL
import assert from "node:assert/strict";
import { launch, NOW, pretend } from "./browser.mjs";
import { server as serverOf, uuid } from "./fixtures.mjs";

const [url] = process.argv.slice(2);
const SERVER = `/panel/servers/${uuid(1, 0)}`;
const SAID = "The control plane cannot be asked right now. Try again in a moment.";
const browser = await launch();

/** `answers` stand before those of the fixtures: `[part of the address, status, body]`. */
async function open(path, answers = []) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, reducedMotion: "reduce" });
  context.setDefaultTimeout(15_000);
  await context.clock.setFixedTime(NOW);
  const page = await context.newPage();
  await pretend(page, "thousand", true);
  const asked = [];
  await page.route(/\/api\/v1\//, (route) => {
    const address = route.request().url();
    if (route.request().method() === "POST") asked.push(new URL(address).pathname);
    const found = answers.find(([part]) => address.includes(part));
    return found ? route.fulfill({ status: found[1], contentType: "application/json", body: JSON.stringify(found[2]) }) : route.fallback();
  });
  await page.goto(url + path);
  await page.waitForFunction(() => document.querySelector("h1") && !document.querySelector("[data-loading]"));
  return { context, page, asked, press: (name) => page.getByRole("button", { name, exact: true }).click(), dialog: page.locator("dialog[open]") };
}

try {
  // Places by their names, memory as packages are sold.
  for (const path of ["/panel", SERVER, `${SERVER}/settings`, "/panel/networks", `/panel/networks/${uuid(8, 0)}`]) {
    const { context, page } = await open(path);
    if (!path.endsWith("settings")) assert.ok((await page.getByText("First location").count()) > 0, path);
    assert.equal(await page.getByText(/(^|· )first$/).count(), 0, path);
    if (path === SERVER) assert.match(await page.locator(".meters").textContent(), /Memory in use\s*412 MB/);
    await context.close();
  }

  // What a package costs stands with the package; a key that was revoked works no more; who looks is there now.
  const about = await open(SERVER);
  assert.match(await about.page.locator(".facts").first().innerText(), /Package price\s+\$6\.95 a month/);
  assert.equal(await about.page.getByText("costs").count(), 0);
  await about.context.close();
  const keys = await open("/panel/api-keys");
  const revoked = keys.page.locator("tr", { hasText: "Revoked" });
  assert.deepEqual([(await revoked.count()) > 0, await revoked.getByText("without end").count()], [true, 0]);
  await keys.context.close();
  const account = await open("/panel/account");
  assert.match(await account.page.locator("tr", { hasText: "this one" }).locator('[data-label="Last seen"]').textContent(), /^now$/);
  await account.context.close();

  // What the page saw begin and what failed is told until it was read; what failed before is in the list alone.
  const running = serverOf(0);
  const answers = [[`/servers/${uuid(1, 0)}`, 200, { ok: true, data: running }]];
  const failing = await open(`${SERVER}/settings`, answers);
  assert.equal(running.action.status, "running");
  const ended = { ...running.action, status: "failed", finished: "2026-06-10 11:59:59", error: { code: "host_unreachable", message: "The host did not answer." } };
  answers.unshift([`/actions/${running.action.uuid}`, 200, { ok: true, data: ended }]);
  answers[1][2] = { ok: true, data: { ...running, action: null } };
  await failing.page.clock.runFor(3_000);
  const card = failing.page.getByRole("region", { name: "Failed" });
  await card.getByText("The host did not answer.").waitFor();
  await card.getByRole("button", { name: "Close" }).click();
  assert.equal(await failing.page.getByText("The host did not answer.").count(), 0);
  await failing.context.close();

  // A downgrade gives money back: what is left is told with it.
  const quote = { dry_run: true, lines: [], list_total: 0, discount: 0, total: 0, credit: 4.2, balance: 42.5, balance_after: 42.5, erases_disk: false };
  const down = await open(`${SERVER}/settings`, [["change-package?dry_run", 200, { ok: true, data: quote }]]);
  await down.press("Change the package");
  await down.dialog.locator("select").first().selectOption({ index: 1 });
  await down.dialog.getByText("$4.20").waitFor();
  const price = await down.dialog.locator(".price").innerText();
  assert.ok(/In the wallet then\s+\$46\.70/.test(price) && !price.includes("$42.50"), price);
  await down.context.close();

  // A refusal that concerns the price and the wish is told once.
  const refusal = { ok: false, message: SAID, error: { code: "unavailable", message: SAID, request_id: "x", retryable: true, details: { fields: [] } } };
  const order = await open("/panel/order", [["/servers?dry_run", 503, refusal], ["/api/v1/servers", 503, refusal]]);
  await order.page.locator(".price").getByText(SAID).waitFor();
  await order.page.getByLabel("Host name").fill("web9");
  await order.press("Order and pay");
  await order.page.waitForTimeout(400);
  assert.deepEqual([order.asked.length >= 2, await order.page.getByText(SAID).count()], [true, 1]);
  await order.context.close();
  const extend = await open(SERVER, [["/extend", 503, refusal]]);
  await extend.press("Pay ahead");
  await extend.dialog.locator(".price").getByText(SAID).waitFor();
  await extend.press("Pay from the wallet");
  await extend.page.waitForTimeout(400);
  assert.deepEqual([extend.asked.length, await extend.page.getByText(SAID).count()], [2, 1]);
  await extend.context.close();

  // Root's password is changed for who confirms it, and for nobody else.
  const reset = await open(`${SERVER}/settings`, [["/reset-password", 200, { ok: true, data: { root_password: "a-new-password" } }]]);
  await reset.press("Set a new password");
  await reset.dialog.getByText("Set a new root password on web1.example.com?").waitFor();
  await reset.dialog.getByRole("button", { name: "Cancel" }).click();
  assert.deepEqual(reset.asked, []);
  await reset.press("Set a new password");
  await reset.dialog.getByRole("button", { name: "Set a new password" }).click();
  await reset.page.getByText("a-new-password").waitFor();
  assert.equal(reset.asked.length, 1);
  assert.equal(await reset.dialog.count(), 0);
  await reset.context.close();

  // The screen's page is named its server, and gets all else by itself.
  const screen = await open(SERVER);
  const [tab] = await Promise.all([screen.context.waitForEvent("page"), screen.press("Console")]);
  await tab.waitForURL(`${url}/console?server=${uuid(1, 0)}`);
  assert.equal(await tab.evaluate(() => window.opener), null);
  assert.deepEqual(screen.asked, [], "no ticket that nobody uses");
  await screen.context.close();
  console.log("words: places, memory, money that comes back, refusals once, what failed, a password after a question");
} finally {
  await browser.close();
}
