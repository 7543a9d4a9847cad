// Links that open nothing: the token leaves the address bar and the history all the same, with a script and without.
import assert from "node:assert/strict";
import { makeLink, open, origin, revoke } from "./world.mjs";

export async function deadLinks(folder) {
  const revoked = await makeLink(["start"]);
  await revoke(revoked);
  const unknown = `${origin}/manage/csp_sh_${"0".repeat(43)}`;
  const seen = new Set();
  for (const javaScriptEnabled of [true, false]) {
    for (const url of [revoked.url, unknown, `${revoked.url}/`]) {
      const { context, page } = await open({ javaScriptEnabled }, url);
      assert.equal(page.url(), `${origin}/manage/closed`);
      seen.add(await page.content());
      if (javaScriptEnabled) assert.equal(await page.evaluate(() => history.length), 2, "the page before, and this one");
      await page.screenshot({ path: `${folder}/manage-dead.png` });
      await context.close();
    }
  }
  assert.equal(seen.size, 1, "the same for all");
}
