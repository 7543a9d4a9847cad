// Without a mouse: signed in, a server ordered, and destroyed again, by Tab, Enter and what is typed.
import assert from "node:assert/strict";
import { PASSWORD } from "./person.mjs";

const NAME = "kay1.example.com";
const TABS_MAX = 120;

/** Presses Tab until this has the focus: a field by its label, anything else by its words. */
async function reach(page, name, role) {
  for (let tabs = 0; tabs < TABS_MAX; tabs += 1) {
    await page.keyboard.press("Tab");
    const found = await page.evaluate(() => {
      const element = document.activeElement;
      const words = element?.labels?.[0]?.textContent ?? element?.getAttribute("aria-label") ?? element?.textContent ?? "";
      const ring = element && element.matches(":focus-visible");
      return { words: words.trim(), role: element?.tagName, ring };
    });
    if (found.words !== name || found.role !== role) continue;
    assert.ok(found.ring, `${name} shows that it has the focus`);
    return;
  }
  throw new Error(`${name} is not reached by keyboard`);
}

export async function byKeyboard(kay) {
  const { page, control } = kay;
  await kay.signUp("Kay");
  await page.goto(`${control.url}/panel`);
  await kay.heading("Sign in");
  await reach(page, "Mail address", "INPUT");
  await page.keyboard.type(kay.email);
  await reach(page, "Password", "INPUT");
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByText("No servers yet").waitFor();
  const { data } = await kay.get("/panel/v1/person");
  await control.operator("POST", `/accounts/${data.account}/credits`, { amount: "50", reference: "by keyboard" });
  await page.getByText("$50.00").first().waitFor();

  await reach(page, "Order a server", "A");
  await page.keyboard.press("Enter");
  await kay.heading("Order a server");
  await page.locator(".price").getByText("$6.95").first().waitFor();
  await reach(page, "Host name", "INPUT");
  await page.keyboard.type(NAME);
  await reach(page, "Order and pay", "BUTTON");
  await page.keyboard.press("Enter");
  await kay.heading(NAME);
  await kay.status("Online");

  await reach(page, "Settings", "A");
  await page.keyboard.press("Enter");
  await page.getByText("Ends the service").waitFor();
  await reach(page, "Destroy", "BUTTON");
  await page.keyboard.press("Enter");
  await kay.dialog().waitFor();
  const isInside = () => page.evaluate(() => document.querySelector("dialog[open]").contains(document.activeElement));
  assert.ok(await isInside(), "the dialog has the focus");
  for (let tabs = 0; tabs < 8; tabs += 1) {
    await page.keyboard.press("Tab");
    // After the last one comes the browser's own bar, and never what lies behind.
    assert.ok((await isInside()) || (await page.evaluate(() => document.activeElement === document.body)), "nothing behind it gets it");
  }
  await page.keyboard.press("Escape");
  await kay.dialog().waitFor({ state: "hidden" });
  const words = await page.evaluate(() => document.activeElement?.textContent?.trim());
  assert.equal(words, "Destroy", "who closes a dialog is where it was opened");
  await page.waitForTimeout(200); // nobody presses twice in one frame
  await page.keyboard.press("Enter");
  await reach(page, `Type ${NAME} to confirm`, "INPUT");
  await page.keyboard.type(NAME);
  await page.keyboard.press("Enter");
  await page.getByText("No servers yet").waitFor();
}
