// Each page is loaded when it is first shown.
import type { Component } from "svelte";
import type { RouteName } from "../lib/router/paths";

type Load = () => Promise<{ default: Component }>;
const server: Load = () => import("./server/Server.svelte");

export const pages: Record<RouteName, Load> = {
  signIn: () => import("./person/SignIn.svelte"),
  signUp: () => import("./person/SignUp.svelte"),
  forgotten: () => import("./person/Forgotten.svelte"),
  reset: () => import("./person/Reset.svelte"),
  confirmEmail: () => import("./person/ConfirmEmail.svelte"),
  servers: () => import("./servers/Servers.svelte"),
  order: () => import("./order/Order.svelte"),
  server,
  serverGraphs: server,
  serverNetwork: server,
  serverActivity: server,
  serverLinks: server,
  serverSettings: server,
  networks: () => import("./networks/Networks.svelte"),
  network: () => import("./networks/Network.svelte"),
  wallet: () => import("./wallet/Wallet.svelte"),
  statements: () => import("./wallet/Statements.svelte"),
  sshKeys: () => import("./keys/SshKeys.svelte"),
  apiKeys: () => import("./keys/ApiKeys.svelte"),
  account: () => import("./account/Account.svelte"),
  notices: () => import("./notices/Notices.svelte"),
};
