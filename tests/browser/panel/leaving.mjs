// Somebody whose account is empty closes it, and is nobody any more.
import { PASSWORD } from "./person.mjs";

export async function leave(bob) {
  const { page, control } = bob;
  await bob.signUp("Bob");
  await page.goto(`${control.url}/panel/account`);
  await bob.signIn();
  await bob.press("Close the account");
  await bob.dialog().getByLabel(/^Type bob@/).fill(bob.email);
  await bob.dialog().getByLabel("Current password").fill("not the password");
  await bob.press("Close for ever", bob.dialog());
  await bob.dialog().locator(".fault, [role=alert]").first().waitFor();
  await bob.dialog().getByLabel("Current password").fill(PASSWORD);
  await bob.press("Close for ever", bob.dialog());
  await page.getByText("Your account is closed").waitFor();
  await bob.heading("Sign in");
  await bob.signIn();
  await page.getByText("Mail address or password are wrong").waitFor();
  await bob.picture("closed");
}
