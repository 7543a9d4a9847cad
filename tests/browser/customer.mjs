// What a customer goes through, with a real guest: invited, signed up, topped up, a server ordered and seen to come up, its
// screen opened and typed into, links for a colleague opened in a second browser, and all of it destroyed. Run by the end-to-end
// tests in a lab, whose environment says where the control plane, its operator's command and its letters are.
//
//   node customer.mjs HOSTNAME FOLDER    pictures go to FOLDER
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { faultsOf, launch } from "./panel/browser.mjs";

const [hostname, folder] = process.argv.slice(2);
const { CSP_URL: url, CSP_CONTROL: program, CSP_CONFIG: config, CSP_LAB: lab } = process.env;
const email = `${hostname.split(".")[0]}@example.com`;
const PASSWORD = "correct horse battery";
/** A guest is emulated, on a machine that may be busy. */
const GUEST_MS = 180_000;
const run = promisify(execFile);
const operator = async (...words) => JSON.parse((await run(program, ["--config", config, "--json", ...words])).stdout);

const browser = await launch();
const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
const colleague = await browser.newContext({ viewport: { width: 900, height: 800 } });
for (const one of [context, colleague]) one.setDefaultTimeout(60_000);
const page = await context.newPage();
const faults = [faultsOf(page)];
const press = (name, where = page) => where.getByRole("button", { name, exact: true }).click();
const dialog = () => page.locator("dialog[open]");
const status = (word) => page.locator(`.status[data-status="${word}"]`).first().waitFor({ timeout: GUEST_MS });

/** The link in a letter to this customer. */
async function letter() {
  for (const until = Date.now() + 60_000; Date.now() < until; await page.waitForTimeout(300)) {
    const names = (await readdir(`${lab}/mail`).catch(() => [])).filter((name) => name.endsWith(".eml"));
    for (const name of names) {
      // Quoted-printable: long lines are folded, and an equals sign is written as its number.
      const text = (await readFile(`${lab}/mail/${name}`, "utf8")).replaceAll("=\n", "").replaceAll("=3D", "=");
      const found = text.includes(`To: ${email}`) && text.match(/https?:\S+#\S+/);
      if (found) return found[0];
    }
  }
  throw new Error(`no letter came to ${email}`);
}

async function signUp() {
  await operator("person", "invite", email);
  await page.goto(await letter());
  await page.getByLabel(/Your name/).fill("Grace");
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  for (const box of await page.getByRole("checkbox").all()) await box.check();
  await press("Open the account");
  await page.getByText("Your account is open").waitFor();
  await page.goto(`${url}/panel`);
  await page.getByLabel("Mail address").fill(email);
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await press("Sign in");
  await page.getByText("No servers yet").waitFor();
}

async function topUp() {
  const { data } = await page.evaluate(async () => (await fetch("/panel/v1/person")).json());
  await operator("credit", data.account, "50", "--reference", `credit of ${email}`);
  await page.getByText("$50.00").first().waitFor(); // by itself
}

/** Orders; answers root's password. */
async function order() {
  await page.getByRole("link", { name: "Order a server" }).click();
  await page.locator('input[type=radio][value="starter"]').check({ force: true });
  await page.getByLabel("System", { exact: true }).selectOption("debian-12");
  await page.getByLabel("Host name").fill(hostname);
  await press("Order and pay");
  await page.getByText("The root password", { exact: true }).waitFor();
  const password = await page.locator(".note.good code").textContent();
  await status("Online");
  return password;
}

/** What part of a screen has the colour in which the typed command fills it. */
function greenOf() {
  const canvas = document.querySelector("#screen canvas");
  const { width, height } = canvas;
  const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  let green = 0;
  for (let at = 0; at < pixels.length; at += 4) if (pixels[at + 1] > 120 && pixels[at] < 60 && pixels[at + 2] < 60) green += 1;
  return green / (width * height);
}

async function openScreen(press, from) {
  const [screen] = await Promise.all([from.waitForEvent("page"), press()]);
  faults.push(faultsOf(screen));
  await screen.waitForSelector('body[data-state="connected"]');
  assert.ok(!screen.url().includes("#"), "no ticket in the address bar");
  return screen;
}

/** Types into the guest by the page's own box, until it shows that it was understood. */
async function typeInto(screen, password) {
  await press("Type text", screen);
  const type = async (text) => {
    await screen.getByLabel("Text", { exact: true }).fill(text);
    await screen.getByLabel("Press Enter at the end").check();
    await press("Type it", screen);
    await screen.waitForFunction(() => document.querySelector(".type textarea").value === "");
    await screen.waitForTimeout(2_500);
  };
  assert.ok((await screen.evaluate(greenOf)) < 0.1, "no such colour before");
  for (const until = Date.now() + GUEST_MS; (await screen.evaluate(greenOf)) < 0.5; ) {
    assert.ok(Date.now() < until, "what was typed is not seen");
    // A guest that still starts takes none of it, or half. A mere Enter leads to where a name is asked, after the pause that
    // follows a wrong password.
    await screen.locator("#screen canvas").click();
    await screen.keyboard.press("Enter");
    await screen.waitForTimeout(5_000);
    for (const text of ["root", password, "printf '\\033[42m\\033[2J'"]) await type(text);
  }
  await screen.screenshot({ path: `${folder}/customer-screen.png` });
}

/** A link that allows this, as its page shows it once. */
async function makeLink(label, allowed) {
  await press("New link");
  await dialog().getByLabel(/^Label/).fill(label);
  for (const name of ["Restart", "Console"]) await dialog().getByRole("checkbox", { name: new RegExp(`^${name} `) }).setChecked(allowed.includes(name));
  await press("Make the link", dialog());
  const shown = await page.waitForFunction((before) => {
    const text = document.querySelector(".note.good code")?.textContent ?? "";
    return text.includes("/manage/csp_sh_") && text !== before && text;
  }, lastLink);
  lastLink = await shown.jsonValue();
  return lastLink;
}
let lastLink = "";

async function share() {
  await page.getByRole("navigation", { name: "Parts of this server" }).getByRole("link", { name: "Share links" }).click();
  const theirs = await colleague.newPage();
  faults.push(faultsOf(theirs));
  await theirs.goto(await makeLink("Restart only", ["Restart"]));
  assert.equal(theirs.url(), `${url}/manage`);
  const shown = await theirs.locator("form[action^='/manage/']").evaluateAll((forms) => forms.map((form) => form.getAttribute("action")));
  assert.deepEqual(shown, ["/manage/restart", "/manage/leave"]);
  await theirs.screenshot({ path: `${folder}/customer-restart-only.png` });
  await press("Restart", theirs);
  await theirs.getByText("Restart has been queued").waitFor();
  const newest = () => page.evaluate(async () => (await (await fetch(`/api/v1/servers/${location.pathname.split("/")[3]}/actions`)).json()).data[0]);
  const { command, management_link } = await newest();
  assert.deepEqual([command, management_link.label], ["restart", "Restart only"]);
  while ((await newest()).status !== "done") await page.waitForTimeout(300);
  await theirs.waitForSelector('.status[data-status="Online"]', { timeout: GUEST_MS });

  await theirs.goto(await makeLink("With console", ["Restart", "Console"]));
  const screen = await openScreen(() => theirs.locator('form[action="/manage/console"] button:enabled').click({ timeout: GUEST_MS }), colleague);
  await screen.waitForFunction(() => {
    const canvas = document.querySelector("#screen canvas");
    const pixels = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
    return pixels.some((pixel) => pixel !== pixels[0]);
  });
  await screen.screenshot({ path: `${folder}/customer-colleague.png` });
  await press("Revoke With console");
  const began = Date.now();
  await press("Revoke", dialog());
  await screen.waitForSelector('body[data-state="ended"]');
  // Looked at every second; the rest is for the press itself and a busy machine.
  assert.ok(Date.now() - began < 5_000, `the colleague's screen ended after ${Date.now() - began} ms`);
  await screen.getByText("not open to you any more").waitFor();
}

async function destroy() {
  await page.getByRole("navigation", { name: "Parts of this server" }).getByRole("link", { name: "Settings" }).click();
  await press("Destroy");
  await dialog().getByLabel(/^Type /).fill(hostname);
  await press("Destroy for ever", dialog());
  await page.getByText("No servers yet").waitFor();
}

try {
  await signUp();
  await topUp();
  const password = await order();
  const screen = await openScreen(() => press("Console"), context);
  await typeInto(screen, password);
  await screen.close();
  await share();
  await destroy();
  assert.deepEqual(faults.flat(), []);
  console.log("customer: from an invitation to a destroyed server");
} catch (why) {
  for (const [at, one] of [...context.pages(), ...colleague.pages()].entries()) await one.screenshot({ path: `${folder}/customer-failed-${at}.png` }).catch(() => {});
  throw why;
} finally {
  await browser.close();
}
