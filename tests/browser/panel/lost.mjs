// A bad line: what was done although its answer was lost is not done again, and what was not done is not shown as done.
import assert from "node:assert/strict";

const UNREACHABLE = "The control plane cannot be reached";

/** Runs `act` while the next request to there is carried out and its answer is lost. */
async function losing(page, where, act) {
  await page.route(where, async (route) => {
    await route.fetch();
    await route.abort();
  }, { times: 1 });
  await act();
  await page.getByText(UNREACHABLE).first().waitFor();
}

export async function overABadLine(person) {
  const { page, press, dialog, part } = person;
  const { data: [server] } = await person.get("/api/v1/servers");
  const ofServer = async () => (await person.get(`/api/v1/servers/${server.uuid}`)).data;
  const debits = async () => (await person.get("/api/v1/transactions")).data.filter((one) => one.type === "debit").length;

  await part("Overview");
  const before = await debits();
  await press("Pay ahead");
  await dialog().getByText("To pay now").waitFor();
  await losing(page, "**/extend", () => press("Pay from the wallet", dialog()));
  await page.waitForTimeout(700); // what it did is known to the page by now
  await press("Pay from the wallet", dialog());
  await dialog().waitFor({ state: "detached" });
  assert.equal(await debits(), before + 1, "paid once");

  await part("Network");
  await press("Add");
  await dialog().getByText("To pay now").waitFor();
  await losing(page, "**/extra-ips", () => press("Add and pay", dialog()));
  await page.waitForTimeout(700);
  await press("Add and pay", dialog());
  await dialog().waitFor({ state: "detached" });
  assert.equal(await debits(), before + 2, "bought once");

  await page.route(`**/api/v1/servers/${server.uuid}`, (route) => (route.request().method() === "PATCH" ? route.abort() : route.continue()));
  for (const [where, what] of [["Overview", "Renew by itself"], ["Settings", "Never destroy this server"], ["Settings", "Never reinstall this server"]]) {
    await part(where);
    const box = page.getByLabel(what);
    const was = await box.isChecked();
    await box.click();
    await page.getByText(UNREACHABLE).first().waitFor();
    await page.waitForFunction(([text, is]) => document.evaluate(`//label[contains(., "${text}")]//input`, document, null, 9).singleNodeValue.checked === is, [what, was]);
    await page.getByRole("button", { name: "Close" }).first().click().catch(() => {});
  }
  await page.unroute(`**/api/v1/servers/${server.uuid}`);

  // Only what was changed here is sent.
  await part("Settings");
  const elsewhere = await page.evaluate(async (at) => {
    const headers = { "content-type": "application/json" };
    return (await fetch(at, { method: "PATCH", headers, body: JSON.stringify({ hostname: "elsewhere.example.com", labels: { team: "x" } }) })).status;
  }, `/api/v1/servers/${server.uuid}`);
  assert.equal(elsewhere, 200);
  await person.heading("elsewhere.example.com");
  const labels = page.getByLabel("Labels");
  await labels.fill("note=1\nnote=2");
  await page.getByText("“note” stands here twice").waitFor();
  await labels.fill("-=1");
  await press("Save");
  await page.getByText("Please mend the fields").waitFor();
  await labels.fill("note=1");
  await press("Save");
  await page.getByText("Saved.").waitFor();
  const { hostname, labels: kept } = await ofServer();
  assert.deepEqual([hostname, kept], ["elsewhere.example.com", { note: "1", team: "x" }]);
  await page.getByLabel("Host name").fill(server.hostname);
  await press("Save");
  await person.heading(server.hostname);
}
