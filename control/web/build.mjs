// Bundles the console's page into dist/, from where csp-control takes it in at compile time. Fixed file names: the page
// is small and never cached for long, so names with hashes would only make the list in the Rust source harder to read.
import { build } from "esbuild";
import { copyFile, mkdir, rm } from "node:fs/promises";

await rm("dist", { recursive: true, force: true });
await mkdir("dist");
await build({
  entryPoints: ["src/console.js"],
  outdir: "dist",
  bundle: true,
  format: "esm", // noVNC waits at top level for what the browser can decode
  target: "es2022",
  minify: true,
  legalComments: "eof",
  logLevel: "warning",
});
await copyFile("src/console.css", "dist/console.css");
await copyFile("src/index.html", "dist/index.html");
// Licences travel with what they cover.
await copyFile("node_modules/@novnc/novnc/LICENSE.txt", "dist/LICENSE.novnc.txt");
