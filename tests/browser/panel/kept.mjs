// What stays as it is: a dialog while its wish is under way, a form that was not sent, a list that was read anew, what has just been.
//
//   node kept.mjs URL
import assert from "node:assert/strict";
import { launch, NOW, pretend } from "./browser.mjs";
import { server as serverOf, uuid } from "./fixtures.mjs";

const [url] = process.argv.slice(2);
const SERVER = `/panel/servers/${uuid(1, 0)}`;
const browser = await launch();
const json = (route, body, status = 200) => route.fulfill({ status, contentType: "application/json", body: JSON.stringify(body) });

/** `routes` stand before the fixtures: `[part of the address, how it is answered]`. */
async function open(path, routes) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, reducedMotion: "reduce" });
  context.setDefaultTimeout(15_000);
  await context.clock.setFixedTime(NOW);
  const page = await context.newPage();
  await page.addInitScript(() => {
    // A stream on which the test says what happens.
    window.EventSource = class extends EventTarget {
      constructor() {
        super();
        window.happens = (type) => this.dispatchEvent(new MessageEvent(type, { data: JSON.stringify({ type, server_uuid: null }) }));
      }
      close() {}
    };
  });
  await pretend(page, "thousand", true);
  for (const [form, act] of routes) await page.route(form, act);
  await page.goto(url + path);
  await page.waitForFunction(() => document.querySelector("h1") && !document.querySelector("[data-loading]"));
  return { context, page, dialog: page.locator("dialog[open]"), press: (name) => page.getByRole("button", { name, exact: true }).click() };
}

try {
  // Asked again and again to close, a dialog at work stays, and tells what came of it.
  {
    const refusal = { ok: false, message: "Not now.", error: { code: "unavailable", message: "Not now.", request_id: "x", retryable: true, details: { fields: [] } } };
    const asked = [];
    const { context, page, dialog, press } = await open(`${SERVER}/links`, [
      [/\/share-links$/, (route) => (route.request().method() === "POST" ? void asked.push(route) : route.fallback())],
    ]);
    await press("New link");
    const label = dialog.getByLabel("Label");
    assert.ok(await label.evaluate((field) => field === document.activeElement), "it begins with its first field");
    await dialog.getByLabel(/^Reinstall/).check();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    await press("New link");
    assert.equal(await dialog.getByLabel(/^Reinstall/).isChecked(), false, "what was ticked for a link that was not made");
    for (const [answer, status] of [[refusal, 503], [{ ok: true, data: { url: "https://example.com/manage#made-once" } }, 201]]) {
      await dialog.getByRole("button", { name: "Make the link" }).click();
      for (let times = 0; times < 5; times += 1) await page.keyboard.press("Escape");
      // As a browser does that does not ask any more.
      await dialog.evaluate((one) => one.close());
      await page.waitForTimeout(100);
      assert.equal(await dialog.count(), 1);
      await json(asked.pop(), answer, status);
      await page.getByText(status === 503 ? "Not now." : "made-once").first().waitFor();
    }
    await dialog.waitFor({ state: "hidden" });
    await context.close();
  }
  // Without a field it begins with its first button.
  {
    const { context, page, dialog, press } = await open(`${SERVER}/settings`, []);
    await press("Set a new password");
    assert.equal(await page.evaluate(() => document.activeElement.textContent.trim()), "Cancel");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    await context.close();
  }
  // What happens takes nothing away that "more" brought; what changed, went or came is seen.
  {
    let all = Array.from({ length: 182 }, (_, at) => ({ uuid: uuid(11, at), type: "credit", amount: 1, balance_after: 1, cause: "topup", server_uuid: null, description: `Row ${at}.`, created_at: "2026-06-01 12:00:00" }));
    let hold;
    const { context, page, press } = await open("/panel/wallet", [
      [/\/transactions\?/, async (route) => {
        const query = new URL(route.request().url()).searchParams;
        const limit = Number(query.get("limit"));
        assert.ok(limit <= 100, "the API gives no more at once");
        const from = all.findIndex((row) => row.uuid === query.get("cursor")) + 1;
        const data = all.slice(from, from + limit);
        await hold;
        return json(route, { ok: true, data, ...(from + limit < all.length && { next_cursor: data.at(-1).uuid }) });
      }],
    ]);
    const rows = page.locator("tbody tr");
    const reach = (count) => page.waitForFunction((wanted) => document.querySelectorAll("tbody tr").length === wanted, count);
    await reach(50);
    await press("Show more");
    await reach(100);
    await press("Show more");
    await reach(150);
    await rows.nth(140).scrollIntoViewIfNeeded();
    const before = await page.evaluate(() => scrollY);
    all = [{ ...all[0], uuid: uuid(11, 999), description: "New." }, ...all.filter((row) => row.description !== "Row 3." && row.description !== "Row 120.").map((row) => (row.description === "Row 130." ? { ...row, description: "Changed." } : row))];
    await page.evaluate(() => window.happens("balance.credited"));
    await page.getByText("New.").waitFor();
    assert.equal(await rows.count(), 150);
    assert.deepEqual([await page.getByText("Row 3.").count(), await page.getByText("Row 120.").count(), await page.getByText("Changed.").count()], [0, 0, 1]);
    assert.ok(before > 0 && Math.abs((await page.evaluate(() => scrollY)) - before) < 100, "the page does not jump");
    // Both at once: none takes away what the other brought, and none brings a row twice.
    let go;
    hold = new Promise((resolve) => (go = resolve));
    await page.evaluate(() => window.happens("balance.credited"));
    await page.waitForTimeout(200);
    await press("Show more");
    await page.waitForTimeout(100);
    hold = undefined;
    go();
    await reach(all.length);
    await page.waitForTimeout(300);
    assert.equal(await rows.count(), all.length);
    assert.equal(await page.getByRole("button", { name: "Show more" }).count(), 0);
    await context.close();
  }
  // The page's clock is behind by up to its step: what was heard since has just been.
  {
    const { context, page } = await open(SERVER, [[new RegExp(`/v1/servers/${uuid(1, 0)}$`), (route) => json(route, { ok: true, data: serverOf(0, { status_observed_at: "2026-06-10 12:00:15" }) })]]);
    assert.match(await page.locator(".facts", { hasText: "Last heard of" }).innerText(), /Last heard of\s+just now/);
    await context.close();
  }
  console.log("kept: a dialog at work, no form of before, a list that was read anew, no future for what has been");
} finally {
  await browser.close();
}
