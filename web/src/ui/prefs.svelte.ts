// What someone prefers on this device and nobody else needs to know.
function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Storage may be refused; the choice then lasts for this page only.
  }
}

class Prefs {
  #keys = $state(read("rostra.keys") !== "off");

  /** Whether single keys act (WCAG 2.1.4: they can be turned off). */
  get keys(): boolean {
    return this.#keys;
  }

  set keys(on: boolean) {
    this.#keys = on;
    write("rostra.keys", on ? "on" : "off");
  }
}

export const prefs = new Prefs();

/** Whether this tab is inside a Space: a reload then goes straight back in, a fresh link shows what to expect first. */
export const visit = {
  inside(space: string): boolean {
    try {
      return sessionStorage.getItem("rostra.inside") === space;
    } catch {
      return false;
    }
  },
  enter(space: string): void {
    try {
      sessionStorage.setItem("rostra.inside", space);
    } catch {
      // Then a reload shows the entrance again.
    }
  },
  leave(): void {
    try {
      sessionStorage.removeItem("rostra.inside");
    } catch {
      // Nothing was kept.
    }
  },
};
