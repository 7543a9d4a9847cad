// Money by card: asked for in the panel, paid on a page of Stripe's, credited by Stripe's signed word.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";

/** The stand-in calls its sessions by the key under which they were asked for, which has our name for the top-up. */
const SESSION = /cs_test_top-up-([0-9a-f-]{36})$/;

/** A page of Stripe's, as far as the ways back go: paid, or left. */
async function standIn(context, panel) {
  await context.route("https://checkout.stripe.com/**", (route) => {
    const back = (what) => `${panel}/panel/wallet?${what}=${route.request().url().match(SESSION)[1]}`;
    return route.fulfill({ contentType: "text/html", body: `<h1>Checkout</h1><a href="${back("top_up")}">Pay</a> <a href="${back("top_up_left")}">Back</a>` });
  });
}

/** Stripe's word that a top-up was paid; answers the status. */
async function tell(control, seconds, { uuid, session, account, cents }) {
  const object = {
    id: session, object: "checkout.session", amount_subtotal: cents, amount_total: cents, client_reference_id: uuid, currency: "usd",
    livemode: false, metadata: { account, top_up: uuid }, mode: "payment", payment_intent: "pi_browser", payment_status: "paid", status: "complete", url: null,
  };
  const body = JSON.stringify({ id: "evt_browser", object: "event", created: seconds, data: { object }, livemode: false, type: "checkout.session.completed" });
  const signed = createHmac("sha256", control.stripe_signing).update(`${seconds}.${body}`).digest("hex");
  const headers = { "content-type": "application/json", "stripe-signature": `t=${seconds},v1=${signed}` };
  return (await fetch(`${control.url}/webhooks/stripe`, { method: "POST", headers, body })).status;
}

/** `now` is the control plane's time, in seconds. */
export async function payByCard(grace, now) {
  const { page, context, control } = grace;
  await standIn(context, control.url);
  /** Asks for a page where this is paid; answers its session. */
  const ask = async (amount) => {
    await page.getByRole("link", { name: "Wallet", exact: true }).click();
    await page.getByLabel("Amount in US dollars").fill(amount);
    await grace.press("Pay by card");
    await page.getByRole("heading", { name: "Checkout" }).waitFor();
    return page.url().split("/").pop();
  };
  await page.getByRole("link", { name: "Wallet", exact: true }).click();
  await page.getByLabel("Amount in US dollars").fill("1");
  await grace.press("Pay by card");
  await page.locator(".fault").waitFor(); // less than the least

  await ask("10.00");
  await page.getByRole("link", { name: "Back" }).click();
  await page.getByText("Nothing was paid.").waitFor();

  const session = await ask("25.00");
  await page.getByRole("link", { name: "Pay" }).click();
  await page.getByText("Your payment is on its way").waitFor(); // the browser that comes back proves nothing
  const { data: person } = await grace.get("/panel/v1/person");
  const word = { uuid: session.match(SESSION)[1], session, account: person.account, cents: 2500 };
  assert.equal(await tell(control, now(), word), 200);
  await page.getByText("$25.00 are in your wallet").waitFor();
  assert.equal(await tell(control, now(), word), 200, "told twice");
  const { data: wallet } = await grace.get("/api/v1/balance");
  assert.equal(wallet.balance, 25);
  await grace.picture("card");
}
