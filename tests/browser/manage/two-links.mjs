// Two links in one browser, which has one cookie: the page of the first stays what it is, says so, and changes nothing more.
import assert from "node:assert/strict";
import { actions, makeLink, open, revoke } from "./world.mjs";

export async function twoLinks() {
  const [first, second] = [await makeLink(["stop", "restart"]), await makeLink(["console"])];
  const { context, page } = await open({}, first.url);
  const other = await context.newPage();
  await other.goto(second.url);
  await page.getByText("Another link was opened in this browser").waitFor();
  assert.equal(await page.locator('form[action="/manage/stop"]').count(), 1, "it is still the page of the first");
  assert.equal(await page.locator("form button:enabled").count(), 0);
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  const before = (await actions()).length;
  await page.waitForTimeout(5_500);
  assert.deepEqual(asked, [], "nor does it ask again");
  assert.equal((await actions()).length, before);

  await page.goto(first.url); // the way back; now it is the other page that stands still
  await page.locator('form[action="/manage/restart"] button:enabled').waitFor();
  await other.getByText("Another link was opened in this browser").waitFor();
  await context.close();
  for (const link of [first, second]) await revoke(link);
}
