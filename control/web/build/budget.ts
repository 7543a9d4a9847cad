// Refuses a build whose first page loads too much script.
import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";

const FIRST_PAGE_BYTES_MAX = 100_000;

export function budget(): Plugin {
  return {
    name: "budget",
    generateBundle(_options, bundle) {
      const chunks = Object.values(bundle).filter((part) => part.type === "chunk");
      const byName = new Map(chunks.map((chunk) => [chunk.fileName, chunk]));
      const sizes = new Map(chunks.map((chunk) => [chunk.fileName, gzipSync(chunk.code, { level: 9 }).length]));
      // All that is loaded before `name` runs.
      const closure = (name: string, seen = new Set<string>()): Set<string> => {
        if (seen.has(name)) return seen;
        seen.add(name);
        for (const next of byName.get(name)?.imports ?? []) closure(next, seen);
        return seen;
      };
      const sum = (names: Set<string>) => [...names].reduce((all, name) => all + (sizes.get(name) ?? 0), 0);
      const entry = chunks.find((chunk) => chunk.isEntry && chunk.name === "panel");
      if (!entry) this.error("there is no chunk for the panel");
      const shell = closure(entry.fileName);
      const pages = entry.dynamicImports.map((name) => ({ name, bytes: sum(closure(name, new Set(shell))) }));
      const largest = pages.sort((a, b) => b.bytes - a.bytes)[0] ?? { name: entry.fileName, bytes: sum(shell) };
      const words = `first page: ${largest.bytes} bytes of script, compressed, at most (${largest.name}); the frame alone ${sum(shell)}`;
      if (largest.bytes > FIRST_PAGE_BYTES_MAX) this.error(`${words}; ${FIRST_PAGE_BYTES_MAX} are the most`);
      console.log(words);
    },
  };
}
