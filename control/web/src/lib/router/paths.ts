// Every page of the panel: its address, for whom it is, and what is tested.

export interface Route {
  path: string;
  /** `out`: for who has not signed in; `in`: for who has; `any`: for both. */
  door: "out" | "in" | "any";
}

export const routes = {
  signIn: { path: "/panel/sign-in", door: "out" },
  signUp: { path: "/panel/sign-up", door: "any" },
  forgotten: { path: "/panel/forgotten", door: "out" },
  reset: { path: "/panel/reset", door: "any" },
  confirmEmail: { path: "/panel/confirm-email", door: "any" },
  servers: { path: "/panel", door: "in" },
  order: { path: "/panel/order", door: "in" },
  server: { path: "/panel/servers/:uuid", door: "in" },
  serverGraphs: { path: "/panel/servers/:uuid/graphs", door: "in" },
  serverNetwork: { path: "/panel/servers/:uuid/network", door: "in" },
  serverActivity: { path: "/panel/servers/:uuid/activity", door: "in" },
  serverLinks: { path: "/panel/servers/:uuid/links", door: "in" },
  serverSettings: { path: "/panel/servers/:uuid/settings", door: "in" },
  networks: { path: "/panel/networks", door: "in" },
  network: { path: "/panel/networks/:uuid", door: "in" },
  wallet: { path: "/panel/wallet", door: "in" },
  statements: { path: "/panel/statements", door: "in" },
  sshKeys: { path: "/panel/ssh-keys", door: "in" },
  apiKeys: { path: "/panel/api-keys", door: "in" },
  account: { path: "/panel/account", door: "in" },
  notices: { path: "/panel/notices", door: "in" },
} as const satisfies Record<string, Route>;

export type RouteName = keyof typeof routes;

/** The address of a page. */
export function path(name: RouteName, params: Record<string, string> = {}): string {
  return routes[name].path.replace(/:(\w+)/g, (_, key: string) => encodeURIComponent(params[key] ?? ""));
}

export interface Place {
  name: RouteName;
  params: Record<string, string>;
}

/** Which page an address is of. */
export function match(address: string): Place | undefined {
  const given = address.replace(/\/+$/, "").split("/");
  for (const [name, route] of Object.entries(routes)) {
    const wanted = route.path.split("/");
    if (wanted.length !== given.length) continue;
    const params: Record<string, string> = {};
    const fits = wanted.every((part, at) => {
      const own = given[at] ?? "";
      if (!part.startsWith(":")) return part === own;
      params[part.slice(1)] = own;
      return /^[\w-]+$/.test(own);
    });
    if (fits) return { name: name as RouteName, params };
  }
  return undefined;
}
