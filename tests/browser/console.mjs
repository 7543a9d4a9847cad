// Drives a real browser over the console's page, told what to do by its arguments, and prints what it saw as lines of
// JSON. It judges nothing: the test that runs it does.
//
//   node console.mjs look URL                       what the page says once it stopped connecting
//   node console.mjs follow URL NEXT                what it says once NEXT was opened in the same tab and is connected
//   node console.mjs watch URL                      says when the screen is there, then what the page says at its end
//   node console.mjs type URL PICTURE LINE [LINE…]  types each line, the last one again and again until standard input
//                                                   ends; then saves a picture of the page
import { writeFile } from "node:fs/promises";
import { chromium } from "playwright-core";

const WAIT_MS = 60_000;
const SETTLE_MS = 1_500;
const AGAIN_MS = 3_000;
// Where a US keyboard needs Shift. The page sends keys by their place, as a real keyboard would, so Shift is a key too.
const SHIFTED = '~!@#$%^&*()_+{}|:"<>?ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const PLAIN = "`1234567890-=[]\\;',./abcdefghijklmnopqrstuvwxyz";

// What the screen shows: its size, how many pixels differ from the first one, and a hash of all.
function lookAtCanvas() {
  const canvas = document.querySelector("#screen canvas");
  if (!canvas) return { width: 0, height: 0, lit: 0, hash: 0 };
  const { width, height } = canvas;
  const pixels = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, width, height).data.buffer);
  let lit = 0;
  let hash = 17;
  for (const pixel of pixels) {
    if (pixel !== pixels[0]) lit += 1;
    hash = (Math.imul(hash, 31) + pixel) | 0;
  }
  return { width, height, lit, hash };
}

async function typeLine(keyboard, line) {
  for (const character of line) {
    const place = SHIFTED.indexOf(character);
    if (place >= 0) await keyboard.down("Shift");
    await keyboard.press(place >= 0 ? PLAIN[place] : character, { delay: 15 });
    if (place >= 0) await keyboard.up("Shift");
  }
  await keyboard.press("Enter");
}

const inState = (page, wanted) => page.waitForSelector(`body[data-state="${wanted}"]`, { timeout: WAIT_MS });
const say = (value) => console.log(JSON.stringify(value));

async function run(what, page, [picture, ...lines]) {
  if (what === "look") {
    await page.waitForFunction(() => document.body.dataset.state !== "connecting", null, { timeout: WAIT_MS });
    return {};
  }
  if (what === "follow") {
    await page.waitForFunction(() => document.body.dataset.state !== "connecting", null, { timeout: WAIT_MS });
    const before = await page.locator("body").getAttribute("data-state");
    // As a link in the same tab does: the page is the same, so only its fragment changes.
    await page.evaluate((next) => location.assign(next), picture);
    await inState(page, "connected");
    return { before };
  }
  await inState(page, "connected");
  if (what === "watch") {
    say({ state: "connected" });
    await inState(page, "ended");
    return {};
  }
  const screens = [];
  const settle = async (milliseconds) => {
    await page.waitForTimeout(milliseconds);
    screens.push(await page.evaluate(lookAtCanvas));
  };
  let enough = false;
  process.stdin.resume().once("end", () => (enough = true));
  await settle(SETTLE_MS);
  for (const line of lines.slice(0, -1)) {
    await typeLine(page.keyboard, line);
    await settle(SETTLE_MS);
  }
  while (!enough) {
    await typeLine(page.keyboard, lines.at(-1));
    await settle(AGAIN_MS);
  }
  await writeFile(picture, await page.screenshot());
  return { screens };
}

const [what, url, ...rest] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  const page = await browser.newPage({ viewport: { width: 900, height: 600 } });
  // What the browser itself finds fault with, violations of the content security policy among it.
  const faults = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  await page.goto(url, { timeout: WAIT_MS });
  const seen = await run(what, page, rest);
  say({
    ...seen,
    state: await page.locator("body").getAttribute("data-state"),
    title: await page.locator("#notice-title").textContent(),
    text: await page.locator("#notice-text").textContent(),
    address: page.url(),
    faults,
  });
} finally {
  await browser.close();
}
process.exit(0); // standard input may be open
