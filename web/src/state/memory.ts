// Small choices that this browser keeps: devices, never anything about people.

export function recall(name: string): string {
  try {
    return localStorage.getItem(`rostra.${name}`) ?? "";
  } catch {
    return ""; // Storage may be refused.
  }
}

export function remember(name: string, value: string): void {
  try {
    if (value) localStorage.setItem(`rostra.${name}`, value);
    else localStorage.removeItem(`rostra.${name}`);
  } catch {
    // The choice then lasts for this page only.
  }
}
