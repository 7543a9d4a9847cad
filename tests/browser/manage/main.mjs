// Opens the page behind a management link in a real browser, against the control plane of csp-test-control, and holds what
// it sees against what the link allows. Run by scripts/checks/manage-page.
//
//   node main.mjs URL KEY FOLDER    pictures of the page go to FOLDER
import assert from "node:assert/strict";
import { deadLinks } from "./dead.mjs";
import { screenComesBack } from "./screen.mjs";
import { ALL, eightSets } from "./sets.mjs";
import { twoLinks } from "./two-links.mjs";
import { usageMoves } from "./usage.mjs";
import { becomes, browser, makeLink, open, openConsole, origin, reinstall, revoke } from "./world.mjs";

const folder = process.argv[4];
const width = (page) => page.evaluate(() => document.documentElement.scrollWidth);

try {
  const sets = await eightSets();
  await screenComesBack();
  await twoLinks();
  await usageMoves();
  await deadLinks(folder);

  const whole = await makeLink(ALL);
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
  const visitor = await open({ viewport: { width: 360, height: 740 } }, whole.url);
  const { context, page, seen } = visitor;
  await page.locator('form[action="/manage/stop"] button').focus();
  await page.keyboard.press("Enter");
  await page.waitForSelector(".notice");
  await becomes("Offline");
  await page.waitForSelector('.status[data-status="Offline"]');
  await page.waitForSelector('form[action="/manage/restart"] button:disabled');
  await page.screenshot({ path: `${folder}/manage-off.png`, fullPage: true });
  await page.locator('form[action="/manage/start"] button:enabled').click();
  await becomes("Online");
  await (await openConsole(visitor)).close();
  await page.locator("summary").click();
  await page.fill("#confirm", "something else");
  await page.locator("button.danger").click();
  await page.waitForSelector(".notice.bad");
  await page.screenshot({ path: `${folder}/manage-refused.png`, fullPage: true });
  await reinstall(page);
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
  await page.goto(`${origin}/manage`);
  await revoke(whole);
  await page.waitForSelector("text=This link does not work");
  await page.screenshot({ path: `${folder}/manage-closed.png`, fullPage: true });
  await context.close();
  console.log(`manage-page: ${sets} sets of permissions, a screen that comes back, two links in one browser, usage that moves, dead links, every change, without a script, at 360 px`);
} finally {
  await browser.close();
}
