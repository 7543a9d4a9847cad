// Somebody signs up, orders, uses and destroys a server in a real browser, by mouse and by keyboard alone, against a control
// plane whose host does at once what it is told.
//
//   node people.mjs PROGRAM FOLDER    PROGRAM is csp-test-control; pictures go to FOLDER
import assert from "node:assert/strict";
import { launch } from "./browser.mjs";
import { payByCard } from "./card.mjs";
import { Control } from "./control.mjs";
import { endedElsewhere, withoutNetwork } from "./ended.mjs";
import { byKeyboard } from "./keyboard.mjs";
import { leave } from "./leaving.mjs";
import { overABadLine } from "./lost.mjs";
import { PASSWORD, Person } from "./person.mjs";
import { marksFields, withoutMoney } from "./refusals.mjs";
import { readStatement } from "./statement.mjs";
import { code } from "./totp.mjs";

const [program, folder] = process.argv.slice(2);
const control = await Control.start(program);
/** The clock of csp-test-control begins here. */
const NOON_S = 1_781_092_800;
const began = Date.now();
const now = () => NOON_S + Math.floor((Date.now() - began) / 1000);
const browser = await launch();
const grace = await Person.come(browser, control, "grace@example.com", folder);
const { page, picture, press, heading, dialog, status, part } = grace;

async function signIn() {
  await page.goto(`${control.url}/panel/servers/01975a3e-7c00-7a51-8f3e-5b1d2c9e4f07`);
  await heading("Sign in");
  await grace.signIn("not the password");
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
  await withoutMoney(grace, async () => {
    const { data } = await grace.get("/panel/v1/person");
    const credited = await control.operator("POST", `/accounts/${data.account}/credits`, { amount: "100", reference: "test-1" });
    assert.ok(credited.ok, JSON.stringify(credited));
  });
  await page.getByText("$100.00").waitFor(); // the balance follows by itself
  await page.getByLabel(/Edge/).check({ force: true });
  await page.locator(".price").getByText("$14.95").first().waitFor();
  await marksFields(grace);
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

async function destroy() {
  await part("Settings");
  await press("Destroy");
  await dialog().getByLabel(/^Type grace2/).fill("grace2.example.com");
  await press("Destroy for ever", dialog());
  await heading("Servers");
  await page.getByText("No servers yet").waitFor();
}

/** What stands before everything until newer terms are accepted. */
async function newerTerms() {
  await control.operator("ACCEPTED", "2026-01");
  await page.goto(`${control.url}/panel/ssh-keys`);
  await heading("Our terms have changed");
  await picture("terms");
  const refused = await page.evaluate(async () => {
    const headers = { "content-type": "application/json" };
    return (await fetch("/api/v1/ssh-keys", { method: "POST", headers, body: "{}" })).status;
  });
  assert.equal(refused, 403, "nothing is changed before");
  await press("Accept version 2026-06");
  await heading("SSH keys");
}

/** Sets a second factor up; answers its recovery codes. */
async function secondFactor() {
  await press("Set it up");
  await dialog().getByLabel("Current password").fill(PASSWORD);
  await press("Next", dialog());
  const secret = await dialog().locator("code").textContent();
  await picture("second-factor");
  await dialog().getByLabel("Code of the app").fill(code(secret, now()));
  await press("Turn it on", dialog());
  await page.getByText("Recovery codes", { exact: true }).waitFor();
  return page.locator("section[role=status] li").allTextContents();
}

async function account() {
  await page.getByRole("link", { name: "API keys", exact: true }).click();
  await press("New key");
  await dialog().getByLabel("Label").fill("Deploy");
  await dialog().getByLabel("Current password").fill("not the password");
  await press("Make the key", dialog());
  await dialog().getByText("is wrong").first().waitFor();
  await dialog().getByLabel("Current password").fill(PASSWORD);
  await press("Make the key", dialog());
  await page.getByText(/^csp_live_/).first().waitFor();
  await page.getByRole("link", { name: "Account", exact: true }).click();
  await page.getByText("this one").waitFor();
  const [recovery, more] = await secondFactor();
  await press("Sign out everywhere");
  await press("Sign out everywhere", dialog());
  await heading("Sign in");
  await grace.signIn();
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
  await dialog().getByLabel(/^Type grace@/).fill(grace.email);
  await dialog().getByLabel("Current password").fill(PASSWORD);
  await dialog().getByLabel(/^Code/).fill(more);
  await press("Close for ever", dialog());
  await dialog().getByText(/USD in its wallet/).first().waitFor(); // what is still there is said, and nothing is closed
  await page.keyboard.press("Escape");
  await press("Sign out");
  await heading("Sign in");
  await page.goto(`${control.url}/panel/forgotten`);
  await page.getByLabel("Mail address").fill(grace.email);
  await press("Send the letter");
  await page.goto(await control.link(grace.email));
  await page.getByLabel("New password").fill("another horse battery");
  await press("Save the password");
  await page.getByText("Your password is changed").waitFor();
}

try {
  await grace.signUp("Grace");
  await signIn();
  await order();
  await readStatement(grace);
  await use();
  await overABadLine(grace);
  await destroy();
  await newerTerms();
  await withoutNetwork(grace);
  await endedElsewhere(grace);
  await account();
  const [kay, bob, ada] = await Promise.all(["kay", "bob", "ada"].map((name) => Person.come(browser, control, `${name}@example.com`, folder)));
  await byKeyboard(kay);
  await leave(bob);
  await ada.signUp("Ada");
  await ada.page.goto(`${control.url}/panel`);
  await ada.signIn();
  await payByCard(ada, now);
  const faults = [grace, kay, bob, ada].flatMap((person) => person.faults);
  assert.deepEqual(faults.filter((fault) => !/status of (402|403|409|422)|ERR_(INTERNET_DISCONNECTED|FAILED)/.test(fault)), []);
  console.log("panel: signed up, ordered once, used, newer terms accepted, signed in with a recovery code, password replaced; ordered and destroyed by keyboard; closed; paid by card");
} catch (why) {
  for (const [at, open] of browser.contexts().flatMap((context) => context.pages()).entries()) await open.screenshot({ path: `${folder}/real-failed-${at}.png` });
  throw why;
} finally {
  await browser.close();
  control.stop();
}
