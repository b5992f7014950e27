// Who the viewer is: nobody, or an account whose session lives in a cookie that scripts cannot read.
import * as api from "../net/api";
import { ApiError } from "../net/http";
import type { Account } from "../protocol/generated";
import type { Result } from "./types";

const KEPT = "rostra.account";

class Session {
  /** null: nobody yet. Listening needs nobody. */
  account: Account | null = $state(null);
  /** Whether `account` is known to be right. */
  loaded = $state(false);

  /** Ask the server who we are, but only if this browser was ever somebody: a first visit costs no call. */
  async load(): Promise<void> {
    this.account = recalled();
    if (this.account) {
      try {
        this.set((await api.me()).account);
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) this.set(null);
      }
    }
    this.loaded = true;
  }

  /** Take a guest name. */
  async takeName(name: string): Promise<Result> {
    try {
      this.set((await api.createGuest(name)).account);
      return { ok: true };
    } catch (error) {
      return { ok: false, error: asApiError(error) };
    }
  }

  async signOut(): Promise<Result> {
    try {
      await api.endSession();
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 401)) return { ok: false, error: asApiError(error) };
    }
    this.set(null);
    return { ok: true };
  }

  /** What a snapshot or /me said of us. */
  set(account: Account | null): void {
    this.account = account;
    this.loaded = true;
    try {
      if (account) localStorage.setItem(KEPT, JSON.stringify(account));
      else localStorage.removeItem(KEPT);
    } catch {
      // Storage may be refused; the next visit then starts as nobody and learns better from a snapshot.
    }
  }
}

function recalled(): Account | null {
  try {
    return JSON.parse(localStorage.getItem(KEPT) ?? "null") as Account | null;
  } catch {
    return null;
  }
}

/** Any thrown thing as an ApiError, for a Result. */
export function asApiError(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError("internal", 0, error instanceof Error ? error.message : String(error));
}

export const session = new Session();
