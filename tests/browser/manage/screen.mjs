// The screen behind a management link: it comes back by itself after a break, also in a page that was loaded again, and no more
// when the link has ended or the browser is at another one.
import assert from "node:assert/strict";
import { makeLink, open, openConsole, revoke, server } from "./world.mjs";

const inState = (page, state) => page.waitForSelector(`body[data-state="${state}"]`);

export async function screenComesBack() {
  const link = await makeLink(["console"]);
  const visitor = await open({}, link.url);
  const { context, guest } = visitor;
  const tab = await openConsole(visitor);
  await tab.getByRole("heading", { level: 1, name: server.hostname, exact: true }).waitFor();
  for (let tickets = 2; tickets <= 3; tickets += 1) {
    const [again] = await Promise.all([tab.waitForRequest("**/manage/ticket"), guest.close()]); // a network that broke
    assert.ok(!again.url().includes("~"));
    await inState(tab, "connected");
    assert.equal(guest.tickets.length, tickets);
  }
  assert.equal(new Set(guest.tickets).size, 3, "each time a new one");
  await tab.reload();
  await inState(tab, "connected");
  assert.equal(guest.tickets.length, 4);

  // Another link in this browser: the screen of the first one is not asked for by the second one's right.
  const other = await makeLink(["console"]);
  const page = await context.newPage();
  await page.goto(other.url);
  guest.close();
  await tab.getByText("not open to you any more").waitFor();
  await page.goto(link.url);
  const second = await openConsole({ context, page });
  await revoke(link);
  guest.close();
  await inState(second, "ended");
  await second.getByText("not open to you any more").waitFor();
  await second.waitForTimeout(700);
  assert.equal(guest.tickets.length, 5, "what is not allowed is not tried again");
  await revoke(other);
  await context.close();
}
