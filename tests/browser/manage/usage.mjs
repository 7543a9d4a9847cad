// Usage on the page behind a link: it moves by itself, is asked for by nobody who does not look, and less often where no answer comes.
import assert from "node:assert/strict";
import { makeLink, open, revoke } from "./world.mjs";

export async function usageMoves() {
  const link = await makeLink(["stats"]);
  const { context, page } = await open({}, link.url);
  await page.clock.install();
  await page.goto(link.url);
  const asked = [];
  let answer = { status: 200, figures: ["12.5 %", "256 MB", "1.0 kB/s", "–"], silent: false };
  await page.route("**/manage/state", async (route) => {
    asked.push(new URLSearchParams(route.request().postData()).get("mark"));
    if (answer.status !== 200) return route.fulfill({ status: answer.status, body: "{}" });
    const state = await page.evaluate(() => document.body.dataset.state);
    const figures = answer.figures.map((now, at) => ({ now, words: `Words ${now}`, line: now === "–" ? "" : `M0.0 ${at}.0L9.0 9.0` }));
    const usage = { mark: `mark-${asked.length}`, silent: answer.silent, figures };
    return route.fulfill({ contentType: "application/json", body: JSON.stringify({ name: "x", state, status: "Online", action: "", usage }) });
  });
  const pass = async (seconds) => {
    const before = asked.length;
    for (let second = 0; second < seconds; second += 1) {
      await page.clock.runFor(1_000);
      await page.waitForTimeout(20); // for what is asked to be answered
    }
    return asked.length - before;
  };
  const figures = () => page.locator("figure strong").allTextContents();

  assert.equal(await pass(11), 2, "every five seconds");
  assert.deepEqual(await figures(), answer.figures);
  assert.equal(asked[1], "mark-1", "what is known is not asked for again");
  assert.equal(await page.locator("figure svg").first().getAttribute("aria-label"), "Words 12.5 %");
  assert.equal(await page.locator("figure path").nth(1).getAttribute("d"), "M0.0 1.0L9.0 9.0");
  assert.ok(await page.locator(".curves").isVisible());
  answer = { ...answer, figures: ["–", "–", "–", "–"], silent: true };
  await pass(6);
  assert.ok(await page.getByText("Nothing was measured lately.").isVisible());
  assert.ok(await page.locator(".curves").isHidden());

  const look = (state) => page.evaluate((seen) => {
    Object.defineProperty(document, "visibilityState", { value: seen, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, state);
  await look("hidden");
  assert.equal(await pass(60), 0, "nobody looks");
  const before = asked.length;
  await look("visible");
  await page.waitForTimeout(50);
  assert.equal(asked.length - before, 1, "at once, when somebody does");

  answer = { ...answer, status: 503 };
  const tries = await pass(120);
  assert.ok(tries >= 3 && tries <= 6, `asked ${tries} times in two minutes without an answer`);
  assert.ok(await page.getByText("Not heard of: no connection").isVisible());
  answer = { ...answer, status: 200, silent: false };
  await pass(61);
  assert.ok(await page.getByText("Online", { exact: true }).isVisible());
  assert.ok((await pass(11)) >= 2, "as often as before");
  await context.close();
  await revoke(link);
}
