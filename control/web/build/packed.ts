// Puts a packed form beside every file that is worth it: the program serves both and packs nothing itself.
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";

const WORTH_BYTES = 600;

export function packed(): Plugin {
  return {
    name: "packed",
    async closeBundle() {
      await rm("dist/.vite", { recursive: true, force: true });
      for (const folder of ["dist", "dist/assets"]) {
        for (const entry of await readdir(folder, { withFileTypes: true })) {
          if (!/\.(html|js|css|svg)$/.test(entry.name)) continue;
          const bytes = await readFile(join(folder, entry.name));
          if (bytes.length > WORTH_BYTES) await writeFile(join(folder, `${entry.name}.gz`), gzipSync(bytes, { level: 9 }));
        }
      }
    },
  };
}
