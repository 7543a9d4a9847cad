// Licences travel with what they cover.
import { readFile } from "node:fs/promises";
import type { Plugin } from "vite";

const COVERED = {
  novnc: "node_modules/@novnc/novnc/LICENSE.txt",
  svelte: "node_modules/svelte/LICENSE.md",
  uplot: "node_modules/uplot/LICENSE",
  xkeyboard_config: "src/console/keyboards.LICENSE.txt",
};

export function licences(): Plugin {
  return {
    name: "licences",
    async buildStart() {
      for (const [name, path] of Object.entries(COVERED)) {
        this.emitFile({ type: "asset", fileName: `LICENSE.${name}.txt`, source: await readFile(path) });
      }
    },
  };
}
