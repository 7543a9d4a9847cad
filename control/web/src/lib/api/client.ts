// The one way to the control plane: JSON in its envelope, the browser's cookie, and refusals as `Failure`.
import { Fault } from "./fault.svelte";
import { t } from "../texts/en";
import type { Action, ErrorDetail, Quote } from "./schema";

export const API = "/api/v1";
export const PANEL = "/panel/v1";

/** Why something was not done, in words for people. */
export class Failure extends Error {
  readonly faults: readonly Fault[];

  constructor(
    readonly status: number,
    /** The API's code, or `network` when nothing was heard of the control plane. */
    readonly code: string,
    message: string,
    readonly detail: ErrorDetail | undefined = undefined,
  ) {
    super(message);
    // Where money is missing no field is at fault, whichever the API names: its sentence says all of it.
    const fields = code === "insufficient_balance" ? [] : (detail?.details.fields ?? []);
    this.faults = fields.map((fault) => new Fault(fault.field, fault.reason));
  }

  /** What is wrong with a field of the form. */
  field(name: string): Fault | undefined {
    return this.faults.find((fault) => fault.isOf(name) && !fault.mended);
  }

  /** Faults of fields that the form does not have, unless the message says them already. */
  others(names: readonly string[]): string[] {
    const isAt = (fault: Fault) => names.some((name) => fault.isOf(name));
    const untold = this.faults.filter((fault) => !isAt(fault) && !this.message.includes(fault.reason));
    return untold.map((fault) => `${fault.field}: ${fault.reason}`);
  }

  /** Nothing more to say of it: all that was wrong stood at these fields, and each was changed since. */
  isOver(names: readonly string[]): boolean {
    return this.faults.length > 0 && this.faults.every((fault) => fault.mended && names.some((name) => fault.isOf(name)));
  }
}

export interface Envelope<T> {
  data: T;
  message?: string;
  action?: Action | null;
  total?: number;
  next_cursor?: string;
  limits?: { max_extra_ips: number };
}

interface Options {
  key?: string | undefined;
  signal?: AbortSignal | undefined;
}

let whenSignedOut: () => void = () => {};
/** Told when the control plane does not know this browser any more. */
export const onSignedOut = (act: () => void) => (whenSignedOut = act);

let whenTermsWait: () => void = () => {};
/** Told when nothing is changed before newer terms were accepted. */
export const onTermsWaiting = (act: () => void) => (whenTermsWait = act);

let person: string | undefined;
/** Whom this page is shown to: asked for somebody else, who signed in by another tab since, nothing is answered. */
export const shownTo = (uuid: string | undefined) => (person = uuid);

async function send<T>(method: string, url: string, body: unknown, options: Options = {}): Promise<Envelope<T>> {
  const headers: Record<string, string> = { accept: "application/json" };
  if (method !== "GET") headers["content-type"] = "application/json";
  if (person) headers["x-csp-person"] = person;
  if (options.key) headers["idempotency-key"] = options.key;
  const init: RequestInit = { method, headers, credentials: "same-origin", cache: "no-store" };
  if (method !== "GET") init.body = JSON.stringify(body ?? {});
  if (options.signal) init.signal = options.signal;
  let response: Response;
  let answer: (Envelope<T> & { ok?: boolean; error?: ErrorDetail }) | undefined;
  try {
    response = await fetch(url, init);
    answer = await response.json().catch(() => undefined);
  } catch (why) {
    if (why instanceof DOMException && why.name === "AbortError") throw why;
    throw new Failure(0, "network", t.common.unreachable);
  }
  if (response.ok && answer?.ok !== false && answer) return answer;
  if (response.status === 401 && url !== `${PANEL}/sign-in`) whenSignedOut();
  if (answer?.error?.code === "terms_not_accepted") whenTermsWait();
  const busyWith = answer?.error?.details.running_action?.command;
  const busy = answer?.error?.code === "server_busy" && busyWith ? t.common.busyWith(busyWith) : undefined;
  const words = busy ?? answer?.error?.message ?? answer?.message ?? t.common.unreadable;
  throw new Failure(response.status, answer?.error?.code ?? "unreadable", words, answer?.error);
}

export const get = <T>(path: string, signal?: AbortSignal) => send<T>("GET", path, undefined, { signal });
export const post = <T>(path: string, body: unknown = {}, key?: string) => send<T>("POST", path, body, { key });
export const patch = <T>(path: string, body: unknown, key?: string) => send<T>("PATCH", path, body, { key });
export const remove = <T>(path: string, key?: string) => send<T>("DELETE", path, {}, { key });

/** What a change would cost, without making it. */
export const quote = async (path: string, body: unknown, signal?: AbortSignal): Promise<Quote> =>
  (await send<Quote>("POST", `${path}?dry_run=true`, body, { signal })).data;
