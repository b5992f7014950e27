// HTTP with typed answers: a refusal is an ApiError made from problem+json (RFC 9457), never a bare status.
import type { ErrorCode } from "../protocol/generated";
import { identified } from "./identity";

/** A refusal or failure. `code` "offline": the server was not reached, nothing is known to have happened. */
export class ApiError extends Error {
  constructor(
    readonly code: ErrorCode | "offline",
    readonly status: number,
    readonly detail: string,
    readonly errors: readonly { path: string; message: string }[] = [],
    /** Seconds the server asks to wait, or null. */
    readonly retryAfter: number | null = null,
  ) {
    super(detail || code);
    this.name = "ApiError";
  }
}

/** Sends a request and returns a good answer. Throws ApiError. */
export async function send(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, identified({ cache: "no-store", ...init }));
  } catch (cause) {
    if (init.signal?.aborted) throw cause;
    throw new ApiError("offline", 0, "The server cannot be reached.");
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

/** Sends and reads JSON. Throws ApiError. */
export async function json<T>(path: string, init: RequestInit = {}): Promise<T> {
  const response = await send(path, init);
  try {
    return (await response.json()) as T;
  } catch (cause) {
    if (init.signal?.aborted) throw cause;
    throw new ApiError("offline", response.status, "The answer was cut off.");
  }
}

/** A POST body of JSON. */
export function posting(body: unknown, headers: Record<string, string> = {}): RequestInit {
  return { method: "POST", headers: { "Content-Type": "application/json", ...headers }, body: JSON.stringify(body) };
}

/** What a bad answer says. Proxies answer without problem+json; their status still tells enough. */
export async function refusal(response: Response): Promise<ApiError> {
  const wait = Number(response.headers.get("Retry-After"));
  const retryAfter = response.headers.has("Retry-After") && Number.isFinite(wait) ? wait : null;
  try {
    const problem = (await response.json()) as { code?: ErrorCode; detail?: string; errors?: { path: string; message: string }[] };
    if (problem.code) return new ApiError(problem.code, response.status, problem.detail ?? "", problem.errors ?? [], retryAfter);
  } catch {
    // Not JSON: judged by its status below.
  }
  const code = response.status === 429 ? "rate_limited" : response.status >= 500 ? "overloaded" : "invalid";
  return new ApiError(code, response.status, response.statusText, [], retryAfter);
}

/** Whether trying again later may help. */
export function isPassing(error: unknown): boolean {
  return !(error instanceof ApiError) || error.code === "offline" || error.status >= 500 || error.status === 429;
}
