// Somebody signs up, orders, uses and destroys a server in a real browser, by mouse and by keyboard alone, against a control
// plane whose host does at once what it is told.
//
//   node people.mjs PROGRAM FOLDER    PROGRAM is csp-test-control; pictures go to FOLDER
import assert from "node:assert/strict";
import { faultsOf, launch } from "./browser.mjs";
import { Control } from "./control.mjs";
import { code } from "./totp.mjs";

const [program, folder] = process.argv.slice(2);
const EMAIL = "grace@example.com";
const PASSWORD = "correct horse battery";
const control = await Control.start(program);
/** The clock of csp-test-control begins here. */
const NOON_S = 1_781_092_800;
const began = Date.now();
const browser = await launch();
const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
context.setDefaultTimeout(20_000);
const page = await context.newPage();
const faults = faultsOf(page);
const picture = (name) => page.screenshot({ path: `${folder}/real-${name}.png`, fullPage: true });
const press = (name, where = page) => where.getByRole("button", { name, exact: true }).click();
const heading = (name) => page.getByRole("heading", { level: 1, name }).waitFor();
const dialog = () => page.locator("dialog[open]");
const status = (word) => page.locator(`.status[data-status="${word}"]`).first().waitFor();

async function signUp() {
  await page.goto(`${control.url}/panel/sign-up`);
  await page.getByLabel("Mail address").fill(EMAIL);
  await press("Send the letter");
  await page.getByText("A letter is on its way").waitFor();
  await page.goto(await control.link(EMAIL));
  await heading("Open your account");
  assert.ok(!page.url().includes("csp_"), "the token is out of the address bar");
  await page.getByLabel(/Your name/).fill("Grace");
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByRole("checkbox").check();
  await press("Open the account");
  await page.getByText("Your account is open").waitFor();
}

async function signIn() {
  await page.goto(`${control.url}/panel/servers/01975a3e-7c00-7a51-8f3e-5b1d2c9e4f07`);
  await heading("Sign in");
  await page.getByLabel("Mail address").fill(EMAIL);
  await page.getByLabel("Password", { exact: true }).fill("not the password");
  await press("Sign in");
  await page.getByText("Mail address or password are wrong").waitFor();
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByText("There is nothing here").waitFor(); // where the address led: nobody's server
  await page.getByRole("link", { name: "Servers", exact: true }).click();
  await page.getByText("No servers yet").waitFor();
}

async function order() {
  await page.getByRole("link", { name: "Order a server" }).click();
  await heading("Order a server");
  await page.getByText("The balance").or(page.getByText("wallet holds")).first().waitFor(); // no money: said with the price
  const { data } = await page.evaluate(async () => (await fetch("/panel/v1/person")).json());
  const credited = await control.operator("POST", `/accounts/${data.account}/credits`, { amount: "100", reference: "test-1" });
  assert.ok(credited.ok, JSON.stringify(credited));
  await page.getByText("$100.00").waitFor(); // the balance follows by itself
  await page.getByLabel(/Edge/).check({ force: true });
  await page.locator(".price").getByText("$14.95").first().waitFor();
  await page.getByLabel("Host name").fill("grace1.example.com");
  await picture("order");
  await page.getByRole("button", { name: "Order and pay" }).dblclick();
  await heading("grace1.example.com");
  await page.getByText("The root password", { exact: true }).waitFor();
  await status("Online");
  const { total } = await page.evaluate(async () => (await fetch("/api/v1/servers")).json());
  assert.equal(total, 1, "a double click orders once");
  await picture("server");
}

async function use() {
  await press("Shut down");
  await press("Shut down", dialog());
  await status("Offline");
  await press("Start");
  await status("Online");
  const part = (name) => page.getByRole("navigation", { name: "Parts of this server" }).getByRole("link", { name }).click();
  await part("Share links");
  await press("New link");
  await dialog().getByLabel(/^Label/).fill("Colleague");
  await press("Make the link", dialog());
  await page.getByText(/\/manage\/csp_sh_/).waitFor();
  await press("Revoke Colleague");
  await press("Revoke", dialog());
  await page.getByText("No links").waitFor();
  await part("Network");
  await press("Add");
  await dialog().getByText("To pay now").waitFor();
  await press("Add and pay", dialog());
  await page.getByText("1 of").waitFor();
  await part("Settings");
  await page.getByLabel("Host name").fill("grace2.example.com");
  await press("Save");
  await heading("grace2.example.com");
  await press("Change the package");
  await dialog().getByLabel("New package").selectOption("starter");
  await dialog().getByText("All data will be lost").waitFor();
  await picture("package");
  await page.keyboard.press("Escape");
  await part("Activity");
  await page.getByRole("cell", { name: "Adding an address" }).waitFor();
  await part("Graphs");
  await page.getByText(/1 hour/).waitFor();
}

/** Without a mouse: from the list to the end of the server. */
async function destroyByKeyboard() {
  const focus = async (name, role) => {
    for (let tries = 0; tries < 80; tries += 1) {
      await page.keyboard.press("Tab");
      const found = await page.evaluate(() => {
        const element = document.activeElement;
        return { text: (element?.getAttribute("aria-label") ?? element?.textContent ?? "").trim(), role: element?.tagName };
      });
      if (found.text === name && found.role === role) return;
    }
    throw new Error(`${name} is not reached by keyboard`);
  };
  await focus("Settings", "A");
  await page.keyboard.press("Enter");
  await page.getByText("Ends the service").waitFor();
  await focus("Destroy", "BUTTON");
  await page.keyboard.press("Enter");
  await dialog().waitFor();
  const inside = async () => page.evaluate(() => document.querySelector("dialog[open]")?.contains(document.activeElement));
  assert.ok(await inside(), "the dialog has the focus");
  await dialog().getByLabel(/^Type grace2/).focus();
  await page.keyboard.type("grace2.example.com");
  await page.keyboard.press("Enter");
  await heading("Servers");
  await page.getByText("No servers yet").waitFor();
}

/** Sets a second factor up; answers its recovery codes. */
async function secondFactor() {
  await press("Set it up");
  await dialog().getByLabel("Current password").fill(PASSWORD);
  await press("Next", dialog());
  const secret = await dialog().locator("code").textContent();
  await picture("second-factor");
  await dialog().getByLabel("Code of the app").fill(code(secret, NOON_S + (Date.now() - began) / 1000));
  await press("Turn it on", dialog());
  await page.getByText("Recovery codes", { exact: true }).waitFor();
  return page.locator("section[role=status] li").allTextContents();
}

async function account() {
  await page.getByRole("link", { name: "API keys", exact: true }).click();
  await press("New key");
  await dialog().getByLabel("Label").fill("Deploy");
  await press("Make the key", dialog());
  await page.getByText(/^csp_live_/).first().waitFor();
  await page.getByRole("link", { name: "Account", exact: true }).click();
  await page.getByText("this one").waitFor();
  const [recovery, more] = await secondFactor();
  await press("Sign out everywhere");
  await press("Sign out everywhere", dialog());
  await heading("Sign in");
  await page.getByLabel("Mail address").fill(EMAIL);
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await press("Sign in");
  await heading("One more step");
  await page.getByLabel("Code").fill("000000");
  await press("Sign in");
  await page.locator(".fault").waitFor();
  await page.getByLabel("Code").fill(recovery);
  await press("Sign in");
  await page.getByRole("link", { name: "Account", exact: true }).click();
  await page.getByText("9 recovery codes left").waitFor();
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download" }).click()]);
  assert.ok(file.suggestedFilename().endsWith(".json"), file.suggestedFilename());
  await press("Close the account");
  await dialog().getByLabel(/^Type grace@/).fill(EMAIL);
  await dialog().getByLabel("Current password").fill(PASSWORD);
  await dialog().getByLabel(/^Code/).fill(more);
  await press("Close for ever", dialog());
  await dialog().getByText(/USD in its wallet/).first().waitFor(); // what is still there is said, and nothing is closed
  await page.keyboard.press("Escape");
  await press("Sign out");
  await heading("Sign in");
  await page.goto(`${control.url}/panel/forgotten`);
  await page.getByLabel("Mail address").fill(EMAIL);
  await press("Send the letter");
  await page.goto(await control.link(EMAIL));
  await page.getByLabel("New password").fill("another horse battery");
  await press("Save the password");
  await page.getByText("Your password is changed").waitFor();
}

try {
  await signUp();
  await signIn();
  await order();
  await use();
  await destroyByKeyboard();
  await account();
  assert.deepEqual(faults.filter((fault) => !/status of (402|409|422)/.test(fault)), []);
  console.log("panel: signed up, ordered once, used, destroyed by keyboard, signed in with a recovery code, password replaced");
} catch (why) {
  await picture("failed");
  throw why;
} finally {
  await browser.close();
  control.stop();
}
