// Eight of the sixty-four sets of permissions; the others are asked for over HTTP alone. What a set allows is there and works;
// what it does not allow is neither there nor answered.
import assert from "node:assert/strict";
import { actions, bring, makeLink, open, openConsole, origin, reinstall } from "./world.mjs";

const POWER = ["start", "stop", "restart"];
const CHANGES = [...POWER, "console", "ticket", "reinstall"];
export const ALL = [...POWER, "console", "reinstall", "stats"];
const SETS = [["start"], ["stop"], ["restart"], ["console"], ["reinstall"], ["stats"], ["stop", "console", "stats"], ALL];

/** A change as the page's own form would send it: its status, as another program in the page sees it. */
const send = (page, what) =>
  page.evaluate(async (address) => {
    const check = document.querySelector("input[name=check]").value;
    return (await fetch(address, { method: "POST", body: new URLSearchParams({ check }), redirect: "manual" })).status;
  }, `/manage/${what}`);

async function works(visitor, name) {
  const { page } = visitor;
  if (name === "stats") return assert.equal(await page.locator("#usage").count(), 1);
  await bring(name === "start" ? "Offline" : "Online");
  await page.goto(`${origin}/manage`);
  if (name === "console") {
    const tab = await openConsole(visitor);
    assert.ok(!tab.url().includes("#"), "the ticket is out of the address bar");
    return tab.close();
  }
  const before = (await actions()).length;
  if (name === "reinstall") await reinstall(page);
  else {
    await page.locator(`form[action="/manage/${name}"] button:enabled`).click();
    await page.waitForSelector(".notice:not(.bad)");
  }
  const after = await actions();
  assert.deepEqual([after.length, after[0].command], [before + 1, name]);
  return bring("Online");
}

export async function eightSets() {
  for (const granted of SETS) {
    const visitor = await open({}, (await makeLink(granted)).url);
    const { context, page, seen } = visitor;
    assert.equal(page.url(), `${origin}/manage`, "the token is out of the address bar");
    for (const name of [...POWER, "console"]) {
      const shown = await page.locator(`form[action="/manage/${name}"]`).count();
      assert.equal(shown, granted.includes(name) ? 1 : 0, `${granted} shows ${name}`);
    }
    assert.equal(await page.locator("#usage").count(), granted.includes("stats") ? 1 : 0, `${granted}`);
    assert.equal(await page.locator("details").count(), granted.includes("reinstall") ? 1 : 0, `${granted}`);
    assert.deepEqual(seen.faults, [], `${granted}`);

    const before = await actions();
    for (const name of CHANGES.filter((name) => !granted.includes(name === "ticket" ? "console" : name))) {
      assert.equal(await send(page, name), 403, `${granted} is answered ${name}`);
    }
    assert.deepEqual(await actions(), before, `${granted}: nothing was done`);
    for (const name of granted) await works(visitor, name);
    const faults = seen.faults.filter((fault) => !fault.includes("status of 403"));
    assert.deepEqual(faults, [], `${granted}`);
    assert.ok(seen.referers.every((referer) => !referer.includes("csp_")), `${seen.referers}`);
    await context.close();
  }
  return SETS.length;
}
