// The month's statement on a phone: no wider than the window.
import assert from "node:assert/strict";

export async function readStatement(person) {
  const text = await person.page.evaluate(async () => {
    const { data } = await (await fetch("/api/v1/statements")).json();
    return (await fetch(`/api/v1/statements/${data[0].month}?format=html`)).text();
  });
  assert.ok(text.includes("Opening balance") && text.includes("grace1.example.com"), text);
  const page = await person.context.newPage();
  await page.setViewportSize({ width: 360, height: 740 });
  await page.setContent(text);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 360, `${wide} px wide`);
  await page.close();
}
