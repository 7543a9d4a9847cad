// A page whose sign-in was ended elsewhere says so by itself, once, and shows nothing more of the account.
import assert from "node:assert/strict";

export async function endedElsewhere(person) {
  const { page, context, control } = person;
  await page.getByRole("link", { name: "Account", exact: true }).click();
  await person.heading("Account");
  const refused = [];
  page.on("response", (answer) => answer.status() === 401 && refused.push(new URL(answer.url()).pathname));
  const cookie = (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join("; ");
  const headers = { cookie, origin: control.url, "content-type": "application/json" };
  const out = await fetch(`${control.url}/panel/v1/sign-out`, { method: "POST", headers, body: "{}" });
  assert.equal(out.status, 200);
  await page.getByText("You are signed out. Sign in again").waitFor();
  await person.heading("Sign in");
  assert.equal(await page.getByText(person.email).count(), 0);
  // Each refusal counts as a failed sign-in of the address, of which others there have the use, too.
  await page.waitForTimeout(3_500);
  assert.deepEqual(refused, ["/panel/v1/person"]);
  await person.signIn();
  await person.heading("Account"); // where it was
}

/** A page that was not loaded before, opened without a network: there by itself once the network is, or by another click. */
export async function withoutNetwork(person) {
  const { page, context } = person;
  const entry = (name) => page.getByRole("link", { name, exact: true });
  await context.setOffline(true);
  await entry("Private networks").click();
  await page.getByText("This page could not be loaded").waitFor();
  await context.setOffline(false);
  await person.heading("Private networks");
  const part = /\/assets\/Notices-.*\.js/;
  await page.route(part, (route) => route.abort());
  await entry("Notices").click();
  await page.getByText("This page could not be loaded").waitFor();
  await page.unroute(part);
  await entry("Notices").click();
  await person.heading("Notices");
}
