// Every call of the server that answers JSON, one function each.
import { json, posting, send } from "./http";
import type { Account, Command, LogEvent, NewSpace, Role, Snapshot, SpaceCard, SpaceState } from "../protocol/generated";

const API = "/api/v1";

export const spacePath = (id: string): string => `${API}/spaces/${encodeURIComponent(id)}`;

export interface Page<T> {
  data: T[];
  next_cursor: string | null;
}

export function me(): Promise<{ account: Account }> {
  return json(`${API}/me`);
}

/** A new guest; the session comes as a cookie. */
export function createGuest(name: string): Promise<{ account: Account; token: string }> {
  return json(`${API}/guests`, posting({ name }));
}

export async function endSession(): Promise<void> {
  await send(`${API}/me/session`, { method: "DELETE" });
}

export interface ListQuery {
  state: SpaceState;
  q?: string;
  cursor?: string | null;
  limit?: number;
}

export function listSpaces(query: ListQuery, signal?: AbortSignal): Promise<Page<SpaceCard>> {
  return json(`${API}/spaces?${search({ ...query })}`, { signal });
}

export function createSpace(space: NewSpace): Promise<Snapshot> {
  return json(`${API}/spaces`, posting(space));
}

export function getSpace(id: string, signal?: AbortSignal): Promise<Snapshot> {
  return json(spacePath(id), { signal });
}

export function listParticipants(id: string, query: { q?: string; role?: Role; cursor?: string | null }): Promise<Page<{ account: Account; role: Role }>> {
  return json(`${spacePath(id)}/participants?${search(query)}`);
}

/** What a command did. `pending`: it is in the log, but may still be heard until then. */
export interface Outcome {
  seq: number;
  events: LogEvent[];
  pending?: { until: string };
}

/** One wish; `key` makes a repeat of it return the first answer. */
export function command(id: string, wish: Command, key: string): Promise<Outcome> {
  return json(`${spacePath(id)}/commands`, posting(wish, { "Idempotency-Key": key }));
}

function search(query: Record<string, string | number | null | undefined>): string {
  const kept = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return new URLSearchParams(kept.map(([name, value]) => [name, String(value)])).toString();
}
