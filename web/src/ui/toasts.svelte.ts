// Short notes about what was just done, at most three at a time; the screen draws them, the announcer reads them.
export interface Toast {
  id: number;
  text: string;
  tone: "done" | "failed";
  retry?: () => void;
}

const LIFE_MS = 6000;
let next = 1;
export const toasts: { list: Toast[] } = $state({ list: [] });

export function toast(text: string, tone: Toast["tone"] = "done", retry?: () => void): void {
  const id = next++;
  toasts.list = [...toasts.list.slice(-2), { id, text, tone, retry }];
  if (!retry) setTimeout(() => dismiss(id), tone === "failed" ? LIFE_MS * 1.5 : LIFE_MS);
}

export function dismiss(id: number): void {
  toasts.list = toasts.list.filter((one) => one.id !== id);
}
