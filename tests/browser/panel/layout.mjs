// How the panel lies on a narrow and on a wide page: nothing jumps while data come, words stay whole, the menu keeps the focus.
//
//   node layout.mjs URL
import assert from "node:assert/strict";
import { faultsOf, launch, NOW, pretend } from "./browser.mjs";
import { server as serverOf, uuid } from "./fixtures.mjs";

const [url] = process.argv.slice(2);
/** What is usually taken for the bound of what disturbs a reader. */
const SHIFT_MOST = 0.1;
const ANSWERS_MS = 250;
const SERVER = `/panel/servers/${uuid(1, 0)}`;
const browser = await launch();

/** A page that sums up by how much its parts moved without being asked to. */
async function open(viewport, path, delay = 0) {
  const context = await browser.newContext({ viewport, reducedMotion: "reduce" });
  context.setDefaultTimeout(15_000);
  await context.clock.setFixedTime(NOW);
  const page = await context.newPage();
  await page.addInitScript(() => {
    window.shift = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((entry) => (window.shift += entry.value))).observe({ type: "layout-shift", buffered: true });
  });
  await pretend(page, "thousand", true);
  await page.route(/\/api\/v1\//, async (route) => {
    await new Promise((resolve) => setTimeout(resolve, delay));
    return route.fallback();
  });
  const faults = faultsOf(page);
  await page.goto(url + path);
  await page.waitForFunction(() => document.querySelector("h1") && !document.querySelector("[data-loading]"));
  return { context, page, faults };
}

const PHONE = { width: 360, height: 740 };
const WIDE = { width: 1280, height: 860 };
for (const viewport of [PHONE, WIDE]) {
  for (const path of ["/panel", "/panel/wallet", "/panel/order", "/panel/notices", SERVER, `${SERVER}/links`]) {
    const { context, page } = await open(viewport, path, ANSWERS_MS);
    await page.waitForTimeout(300);
    const shift = await page.evaluate(() => window.shift);
    assert.ok(shift < SHIFT_MOST, `${path} moves by ${shift.toFixed(3)} at ${viewport.width} px`);
    await context.close();
  }
}

/** Servers whose columns are as wide as they become. */
const BIG = ["Reinstalling", "Suspended", "Online"].map((status, at) => serverOf(at, {
  status, resources: { cpu: 16, ram_mb: 65_536, disk_gb: 640 }, ips: [{ uuid: uuid(7, at), address: "203.0.113.254", type: "primary" }], renewal: { total: 1169.95, package: 1169.95, extra_ips: 0, discount: 0 },
}));
const bigOnes = (page) => page.route(/\/api\/v1\/servers$/, (route) => route.fulfill({ contentType: "application/json", body: JSON.stringify({ ok: true, data: BIG, total: BIG.length }) }));

/** Parts of a table that end behind its card, and short words that were broken. */
const crowded = () => {
  const found = [...document.querySelectorAll(".card.flush .table")].filter((table) => table.scrollWidth > table.closest(".card").clientWidth).map((table) => table.innerText.slice(0, 60));
  const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    for (const word of node.data.matchAll(/[\p{L}\p{N}./:]{3,22}(?![\p{L}\p{N}./:])/gu)) {
      const range = new Range();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const before = node.data[word.index - 1] ?? " ";
      if (/\s/.test(before) && new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size > 1) found.push(word[0]);
    }
  }
  return found;
};
/** What ends behind its card. A card is scrolled when all else fails, which none of these needs. */
const cut = () => {
  const behind = (card) => [...card.querySelectorAll("td, td *")].filter((part) => part.getBoundingClientRect().right > card.getBoundingClientRect().right + 0.5);
  return [...document.querySelectorAll(".card.flush")].flatMap(behind).map((part) => part.textContent.slice(0, 60));
};
// Nor is one broken, or cut off, on pages between the two.
for (const path of ["/panel", "/panel/wallet", "/panel/networks", "/panel/api-keys", "/panel/ssh-keys", "/panel/statements", `${SERVER}/activity`]) {
  const { context, page } = await open(WIDE, path);
  for (const width of [681, 768, 861, 1099, 1100, 1179, 1180, 1260, 1300, 1339, 1340]) {
    await page.setViewportSize({ width, height: 900 });
    assert.deepEqual(await page.evaluate(crowded), [], `${path} at ${width} px`);
  }
  await context.close();
}
// With much in each column, at any width.
{
  const { context, page } = await open(PHONE, "/panel/ssh-keys");
  await bigOnes(page);
  for (const path of ["/panel", "/panel/ssh-keys"]) {
    await page.goto(url + path);
    await page.waitForFunction(() => document.querySelector("h1") && !document.querySelector("[data-loading]"));
    for (let width = 360; width <= 1600; width += 20) {
      await page.setViewportSize({ width, height: 900 });
      assert.deepEqual(await page.evaluate(cut), [], `${path} at ${width} px`);
    }
  }
  await context.close();
}
// A list shows the whole of its first choice.
{
  const { context, page } = await open(PHONE, "/panel/order");
  const room = await page.getByLabel("SSH key").evaluate((list) => {
    const style = getComputedStyle(list);
    const pen = new OffscreenCanvas(1, 1).getContext("2d");
    pen.font = style.font;
    const ARROW = 20;
    return list.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight) - ARROW - pen.measureText(list.options[0].text).width;
  });
  assert.ok(room >= 0, `the first choice is cut by ${-room} px`);
  await context.close();
}
for (const path of ["/panel/wallet", "/panel/networks", `${SERVER}/links`, `${SERVER}/network`, "/panel/api-keys", "/panel/statements"]) {
  const { context, page } = await open(WIDE, path);
  assert.deepEqual(await page.evaluate(crowded), [], path);
  await context.close();
}

const { context, page, faults } = await open(PHONE, "/panel");
const menu = page.getByRole("button", { name: "Menu" });
const isOpen = () => menu.getAttribute("aria-expanded");
await menu.click();
for (let stops = 0; stops < 40; stops += 1) {
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.querySelector("main").contains(document.activeElement)), false, "the page behind it");
}
assert.equal(await isOpen(), "true");
await page.keyboard.press("Escape");
assert.equal(await isOpen(), "false");
assert.ok(await menu.evaluate((button) => button === document.activeElement));
assert.deepEqual(faults, []);
await context.close();
await browser.close();
console.log("layout: nothing jumps, words are whole, the menu holds the focus");
