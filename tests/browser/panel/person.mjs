// Somebody in a browser of their own: what all of these stories do the same way.
import { faultsOf } from "./browser.mjs";

export const PASSWORD = "correct horse battery";

export class Person {
  static async come(browser, control, email, folder) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
    context.setDefaultTimeout(20_000);
    const page = await context.newPage();
    return Object.assign(new Person(), { context, page, control, email, folder, faults: faultsOf(page) });
  }

  picture = (name) => this.page.screenshot({ path: `${this.folder}/real-${name}.png`, fullPage: true });
  press = (name, where = this.page) => where.getByRole("button", { name, exact: true }).click();
  heading = (name) => this.page.getByRole("heading", { level: 1, name }).waitFor();
  dialog = () => this.page.locator("dialog[open]");
  status = (word) => this.page.locator(`.status[data-status="${word}"]`).first().waitFor();
  part = (name) => this.page.getByRole("navigation", { name: "Parts of this server" }).getByRole("link", { name }).click();

  /** By the letter, whose link is followed in this browser. */
  async signUp(name) {
    const { page } = this;
    await page.goto(`${this.control.url}/panel/sign-up`);
    await page.getByLabel("Mail address").fill(this.email);
    await this.press("Send the letter");
    await page.getByText("A letter is on its way").waitFor();
    await page.goto(await this.control.link(this.email));
    await this.heading("Open your account");
    await page.getByLabel(/Your name/).fill(name);
    await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
    await page.getByRole("checkbox").check();
    await this.press("Open the account");
    await page.getByText("Your account is open").waitFor();
  }

  async signIn(password = PASSWORD) {
    await this.page.getByLabel("Mail address").fill(this.email);
    await this.page.getByLabel("Password", { exact: true }).fill(password);
    await this.press("Sign in");
  }

  /** What the panel's own data say; undefined where nobody is signed in. */
  get = (path) => this.page.evaluate(async (at) => (await fetch(at)).json(), path);
}
