// Who this window is to the server: the browser's person, by a cookie, or somebody else in this window alone, by a token kept with it.
const KEPT = "rostra.window";
const NOBODY = "-";

/** Whether this window is someone else than the browser's other windows. */
export function isOwnPerson(): boolean {
  return read() !== null;
}

/** Be nobody yet in this window alone, until a guest name is taken here. */
export function becomeOwnPerson(): void {
  write(NOBODY);
}

/** Keep the token of a guest name taken in such a window; in any other the cookie does. */
export function keepToken(token: string | null): void {
  if (isOwnPerson()) write(token ?? NOBODY);
}

/** A request as this window's person sends it. */
export function identified(init: RequestInit): RequestInit {
  const token = read();
  if (token === null) return { ...init, credentials: "same-origin" };
  const headers = token === NOBODY ? init.headers : { ...(init.headers as Record<string, string>), Authorization: `Bearer ${token}` };
  return { ...init, credentials: "omit", headers };
}

function read(): string | null {
  try {
    return sessionStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

function write(value: string): void {
  try {
    sessionStorage.setItem(KEPT, value);
  } catch {
    // Without storage every window is the browser's person.
  }
}
