// Short words about what was just done; they leave by themselves.
export interface Toast {
  id: number;
  text: string;
  tone: "good" | "bad";
}

const SHOWN_MS = 6_000;
const TOASTS_MAX = 3;
let next = 1;
const list = $state<Toast[]>([]);

export const toasts = {
  get list(): readonly Toast[] {
    return list;
  },
};

export function say(text: string, tone: Toast["tone"] = "good") {
  const id = next++;
  list.push({ id, text, tone });
  if (list.length > TOASTS_MAX) list.shift();
  setTimeout(() => dismiss(id), SHOWN_MS);
}

export function dismiss(id: number) {
  const at = list.findIndex((toast) => toast.id === id);
  if (at >= 0) list.splice(at, 1);
}
