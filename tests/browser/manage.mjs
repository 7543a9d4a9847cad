// Opens the page behind a management link in a real browser, against the control plane of csp-test-control, and holds what
// it sees against what the link allows. Run by scripts/checks/manage-page.
//
//   node manage.mjs URL KEY FOLDER    pictures of the page go to FOLDER
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const WAIT_MS = 20_000;
const [url, key, folder] = process.argv.slice(2);
const POWER = ["start", "stop", "restart", "console"];
const ALL = [...POWER, "reinstall", "stats"];
// Eight of the sixty-four sets; the others are asked for over HTTP alone.
const SETS = [["start"], ["stop"], ["restart"], ["console"], ["reinstall"], ["stats"], ["stop", "console", "stats"], ALL];

async function call(method, path, body) {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const answer = await fetch(`${url}/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
  const said = await answer.json();
  assert.equal(answer.status, 200, `${method} ${path}: ${JSON.stringify(said)}`);
  return said.data;
}

const [server] = await call("GET", "/servers");
const links = `/servers/${server.uuid}/share-links`;
const link = (granted) => {
  const permissions = Object.fromEntries(granted.map((name) => [name, true]));
  return call("POST", links, { label: "Browser test", permissions });
};
async function becomes(status) {
  for (let tries = 0; tries < 100; tries += 1) {
    const seen = await call("GET", `/servers/${server.uuid}`);
    if (seen.status === status) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`the server is not ${status}`);
}

const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

// A browser of its own, that writes down what it finds fault with, and each Referer that it sends.
async function open(options, path) {
  const context = await browser.newContext({ viewport: { width: 900, height: 900 }, ...options });
  context.setDefaultTimeout(WAIT_MS);
  const page = await context.newPage();
  const seen = { faults: [], referers: [] };
  page.on("pageerror", (error) => seen.faults.push(String(error)));
  page.on("console", (message) => message.type() === "error" && seen.faults.push(message.text()));
  page.on("request", async (request) => seen.referers.push((await request.allHeaders()).referer ?? ""));
  await page.goto(path);
  return { context, page, seen };
}

const width = (page) => page.evaluate(() => document.documentElement.scrollWidth);

try {
  for (const granted of SETS) {
    const { context, page, seen } = await open({}, (await link(granted)).url);
    assert.equal(page.url(), `${url}/manage`, "the token is out of the address bar");
    for (const name of POWER) {
      const shown = await page.locator(`form[action="/manage/${name}"]`).count();
      assert.equal(shown, granted.includes(name) ? 1 : 0, `${granted} shows ${name}`);
    }
    assert.equal(await page.locator("#usage").count(), granted.includes("stats") ? 1 : 0, `${granted}`);
    assert.equal(await page.locator("details").count(), granted.includes("reinstall") ? 1 : 0, `${granted}`);
    assert.deepEqual(seen.faults, [], `${granted}`);
    assert.ok(seen.referers.every((referer) => !referer.includes("csp_")), `${seen.referers}`);
    await context.close();
  }

  const whole = await link(ALL);
  for (const [name, options] of [
    ["light", { colorScheme: "light" }],
    ["dark", { colorScheme: "dark" }],
    ["phone", { colorScheme: "light", viewport: { width: 360, height: 740 } }],
    ["phone-dark", { colorScheme: "dark", viewport: { width: 360, height: 740 } }],
  ]) {
    const { context, page } = await open(options, whole.url);
    const own = options.viewport?.width ?? 900;
    assert.ok((await width(page)) <= own, `${name} is wider than its window`);
    await page.locator("summary").click();
    assert.ok((await width(page)) <= own, `${name}, with the form open, is wider than its window`);
    await page.screenshot({ path: `${folder}/manage-${name}.png`, fullPage: true });
    await context.close();
  }

  // By keyboard alone: stop, and the page follows by itself.
  const { context, page, seen } = await open({ viewport: { width: 360, height: 740 } }, whole.url);
  await page.locator('form[action="/manage/stop"] button').focus();
  await page.keyboard.press("Enter");
  await page.waitForSelector(".notice");
  await becomes("Offline");
  await page.waitForSelector('.status[data-status="Offline"]');
  await page.waitForSelector('form[action="/manage/restart"] button:disabled');
  await page.screenshot({ path: `${folder}/manage-off.png`, fullPage: true });
  await page.locator('form[action="/manage/start"] button:enabled').click();
  await becomes("Online");
  await page.waitForSelector('form[action="/manage/console"] button:enabled');
  const [tab] = await Promise.all([
    context.waitForEvent("page"),
    page.locator('form[action="/manage/console"] button').click(),
  ]);
  await tab.waitForSelector("body[data-state]");
  assert.equal(tab.url().split("#")[0], `${url}/console`);
  await tab.close();
  await page.locator("summary").click();
  await page.fill("#confirm", "something else");
  await page.locator("button.danger").click();
  await page.waitForSelector(".notice.bad");
  await page.screenshot({ path: `${folder}/manage-refused.png`, fullPage: true });
  await page.locator("summary").click();
  await page.fill("#confirm", server.hostname);
  await page.locator("button.danger").click();
  await page.waitForSelector("code.password");
  await page.screenshot({ path: `${folder}/manage-password.png`, fullPage: true });
  await becomes("Online");
  // A refused form is an answer with an error's status, which the browser writes down; nothing else may be there.
  assert.deepEqual(seen.faults.filter((fault) => !fault.includes("status of 422")), []);

  // Without a script, whole.
  const plain = await open({ javaScriptEnabled: false }, whole.url);
  await plain.page.locator('form[action="/manage/restart"] button').click();
  await plain.page.waitForSelector(".notice");
  await plain.context.close();

  // Revoked: the open page says so by itself.
  await page.goto(`${url}/manage`);
  await call("DELETE", `${links}/${whole.uuid}`);
  await page.waitForSelector("text=This link does not work");
  await page.screenshot({ path: `${folder}/manage-closed.png`, fullPage: true });
  await context.close();
  console.log(`manage-page: ${SETS.length} sets of permissions, every change, without a script, at 360 px`);
} finally {
  await browser.close();
}
