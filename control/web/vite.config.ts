// Builds both pages into dist/, from where csp-control takes them in at compile time.
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";
import { budget } from "./build/budget";
import { licences } from "./build/licences";
import { packed } from "./build/packed";
import { routeList } from "./build/routes";

export default defineConfig({
  plugins: [svelte(), routeList(), licences(), budget(), packed()],
  build: {
    target: "es2022",
    // A strict content security policy takes no `data:` scripts or styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    manifest: true,
    reportCompressedSize: false,
    rolldownOptions: { input: { panel: "panel.html", console: "console.html" } },
  },
});
