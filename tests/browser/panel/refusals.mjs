// What the order's form says of itself: the reason where it is known, a mark only at what is wrong, and both until it is mended.
import assert from "node:assert/strict";

const MEND = "Please mend the fields that are marked.";

/** Without money; then some comes in, and the page needs no help to see it. */
export async function withoutMoney(person, credit) {
  const { page } = person;
  const price = page.locator(".price");
  await price.getByText(/balance is \d+\.\d\d USD short/).waitFor();
  assert.equal(await page.getByText(MEND).count(), 0, "no field is at fault");
  assert.ok(await page.getByRole("button", { name: "Order and pay" }).isDisabled());
  await credit();
  await price.getByText("To pay now").waitFor();
  assert.ok(await page.getByRole("button", { name: "Order and pay" }).isEnabled());
}

export async function marksFields(person) {
  const { page, press } = person;
  const marked = page.locator("[aria-invalid=true]");
  const said = page.getByText(MEND);
  await page.getByText("Promotion code, cloud-init").click();
  const promo = page.getByLabel("Promotion code", { exact: true });
  await promo.fill("NOSUCH");
  await page.locator(".price").getByText(MEND).waitFor();
  assert.equal(await marked.getAttribute("id"), await promo.getAttribute("id"));
  await promo.fill("");
  await page.locator(".price").getByText("To pay now").waitFor();
  assert.deepEqual([await marked.count(), await said.count()], [0, 0]);

  const name = page.getByLabel("Host name");
  await name.fill("-not-a-name-");
  await press("Order and pay");
  await said.waitFor();
  assert.equal(await marked.getAttribute("id"), await name.getAttribute("id"));
  await name.fill("web1.example.com.");
  await press("Order and pay");
  await page.getByText("leave the last dot away").waitFor();
  await name.fill("a-name");
  assert.deepEqual([await marked.count(), await said.count()], [0, 0], "mended, it is marked no more");
}
