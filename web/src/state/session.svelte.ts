// Who the viewer is: nobody, or an account whose session lives in a cookie that scripts cannot read.
import * as api from "../net/api";
import { ApiError } from "../net/http";
import { becomeOwnPerson, isOwnPerson, keepToken } from "../net/identity";
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
        if (error instanceof ApiError && error.status === 401) {
          keepToken(null);
          this.set(null);
        }
      }
    }
    this.loaded = true;
  }

  /** Take a guest name. */
  async takeName(name: string): Promise<Result> {
    try {
      const made = await api.createGuest(name);
      keepToken(made.token);
      this.set(made.account);
      return { ok: true };
    } catch (error) {
      return { ok: false, error: asApiError(error) };
    }
  }

  /** Be someone else in this window alone; the browser's other windows stay who they are. The page begins anew. */
  becomeSomeoneElse(): void {
    becomeOwnPerson();
    location.reload();
  }

  async signOut(): Promise<Result> {
    try {
      await api.endSession();
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 401)) return { ok: false, error: asApiError(error) };
    }
    keepToken(null);
    this.set(null);
    return { ok: true };
  }

  /** What a snapshot or /me said of us. */
  set(account: Account | null): void {
    this.account = account;
    this.loaded = true;
    try {
      const store = isOwnPerson() ? sessionStorage : localStorage;
      if (account) store.setItem(KEPT, JSON.stringify(account));
      else store.removeItem(KEPT);
    } catch {
      // Storage may be refused; the next visit then starts as nobody and learns better from a snapshot.
    }
  }
}

function recalled(): Account | null {
  try {
    return JSON.parse((isOwnPerson() ? sessionStorage : localStorage).getItem(KEPT) ?? "null") as Account | null;
  } catch {
    return null;
  }
}

/** Any thrown thing as an ApiError, for a Result. */
export function asApiError(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError("internal", 0, error instanceof Error ? error.message : String(error));
}

export const session = new Session();
