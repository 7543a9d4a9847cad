// The graphs of a server: drawn in the theme's colours, also after it changed, with times as the reader's system writes them.
// Memory is marked in the unit of packages.
//
//   node graphs.mjs URL
import assert from "node:assert/strict";
import { faultsOf, launch, NOW, pretend } from "./browser.mjs";
import { uuid } from "./fixtures.mjs";

const [url] = process.argv.slice(2);
const LIGHT = 0x1a5fd0;
const DARK = 0x7db0ff;
const browser = await launch();

/** Writes down what is written into pictures. */
function hearTexts() {
  window.texts = [];
  const write = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
    window.texts.push(text);
    return write.call(this, text, ...place);
  };
}

async function open(locale) {
  const context = await browser.newContext({ locale, timezoneId: "Europe/Berlin", colorScheme: "light", viewport: { width: 1280, height: 860 } });
  await context.clock.setFixedTime(NOW);
  await context.addInitScript(hearTexts);
  const page = await context.newPage();
  const faults = faultsOf(page);
  await pretend(page, "thousand", true);
  await page.goto(`${url}/panel/servers/${uuid(1, 0)}/graphs`);
  await page.waitForSelector("canvas");
  await page.waitForTimeout(300);
  return { context, page, faults };
}

/** Which of the two colours the first graph's line has. */
const colours = (page) =>
  page.evaluate(([light, dark]) => {
    const canvas = document.querySelector("canvas");
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    const found = new Set();
    for (let at = 0; at < pixels.length; at += 4) {
      if (pixels[at + 3] === 255) found.add((pixels[at] << 16) | (pixels[at + 1] << 8) | pixels[at + 2]);
    }
    return [found.has(light), found.has(dark)];
  }, [LIGHT, DARK]);

try {
  const { context, page, faults } = await open("de-DE");
  const marks = async (of) => (await of.evaluate(() => window.texts)).filter((text) => text.includes(":"));
  const memory = (await page.evaluate(() => window.texts)).filter((text) => /^[\d.]+ [MG]B$/.test(text));
  assert.ok(["512 MB", "1 GB"].every((mark) => memory.includes(mark)), `${memory}`);
  const german = await marks(page);
  assert.ok(german.length > 3 && german.every((text) => /^\d\d:\d\d$/.test(text)), `${german}`);
  assert.deepEqual(await colours(page), [true, false], "light");
  await page.getByRole("button", { name: "Dark", exact: true }).click();
  await page.waitForTimeout(200);
  assert.deepEqual(await colours(page), [false, true], "by the switch");
  await page.getByRole("button", { name: "As the system", exact: false }).click();
  await page.emulateMedia({ colorScheme: "light" });
  await page.waitForTimeout(200);
  assert.deepEqual(await colours(page), [true, false], "as the system is");
  await page.emulateMedia({ colorScheme: "dark" });
  await page.waitForTimeout(200);
  assert.deepEqual(await colours(page), [false, true], "as the system became");
  assert.deepEqual(faults, []);
  await context.close();
  const american = await open("en-US");
  const texts = await marks(american.page);
  assert.ok(texts.length > 3 && texts.every((text) => /^\d{1,2}:\d\d\s[AP]M$/.test(text)), `${texts}`);
  console.log("graphs: in the colours of the theme as it changes, with 24 hours and with 12");
} finally {
  await browser.close();
}
