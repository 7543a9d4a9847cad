// Writes the router's list into dist/, for tests that go over every page.
import type { Plugin } from "vite";
import { routes } from "../src/lib/router/paths";

export function routeList(): Plugin {
  return {
    name: "route-list",
    buildStart() {
      this.emitFile({ type: "asset", fileName: "routes.json", source: JSON.stringify(routes, null, 2) });
    },
  };
}
