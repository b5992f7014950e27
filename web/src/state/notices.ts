// What is worth saying of an event: to the person it happens to at once, to everyone politely.
import type { LogEvent, Snapshot } from "../protocol/generated";
import type { Notice } from "./types";

type Kind = Notice["kind"];

/** The sentence for this viewer, or null. `before` and `after` are the snapshots around the event. */
export function noticeOf(before: Snapshot, event: LogEvent, after: Snapshot): Notice | null {
  const me = before.you.account?.id;
  return (me === undefined ? null : mine(me, event, after)) ?? everyones(me, before, event, after);
}

function mine(me: string, event: LogEvent, after: Snapshot): Notice | null {
  switch (event.type) {
    case "muted":
      if (event.account !== me || event.redacted || event.by === me) return null;
      return urgent("muted", "danger", "A host muted you. Nobody hears you, and only a host can unmute you. You keep your seat.", event.reason);
    case "unmuted":
      if (event.account !== me || event.redacted || event.actor === me) return null;
      return urgent("unmuted", "info", "A host lifted your mute. Your mic is off until you turn it on.");
    case "speaker_unseated":
      if (event.account !== me || event.redacted || event.cause !== "moved") return null;
      return urgent("moved", "warn", "A host moved you to the audience. You are still listening.", event.reason);
    case "speaker_seated": {
      if (event.account.id !== me) return null;
      const seat = after.stage.find((one) => one.account.id === me)?.seat;
      return urgent("seated", "info", `You are on the stage, in seat ${seat}. Your mic is off.`);
    }
    case "invited":
      if (event.redacted || event.account.id !== me) return null;
      return urgent("invited", "info", "A host invites you to the stage.");
    case "hand_declined":
      if (event.redacted || event.account !== me) return null;
      return urgent("hand_declined", "warn", "A host lowered your hand.", event.reason);
    case "warned":
      if (event.redacted || event.account.id !== me) return null;
      return urgent("warned", "warn", `A host says to you: ${event.text}`);
    case "cohost_added":
      return event.account.id === me ? urgent("cohost", "info", "You are a co-host now.") : null;
    case "cohost_removed":
      return event.account === me ? urgent("cohost", "info", "You are no longer a co-host.") : null;
    case "host_transferred":
      return event.account.id === me ? urgent("host", "info", "You host this Space now.") : null;
    default:
      return null;
  }
}

function everyones(me: string | undefined, before: Snapshot, event: LogEvent, after: Snapshot): Notice | null {
  const nameOf = (id: string) => before.stage.find((seat) => seat.account.id === id)?.account.name ?? "Someone";
  switch (event.type) {
    case "space_opened":
      return polite("opened", "This Space is live now.");
    case "space_ended":
      return polite("ended", "This Space has ended.");
    case "space_canceled":
      return polite("ended", "This Space was called off.");
    case "speaker_seated":
      return polite("stage", `${event.account.name} came to the stage.`);
    case "speaker_unseated":
      return event.account === me ? null : polite("stage", `${nameOf(event.account)} left the stage.`);
    case "muted":
      return event.account === me || !before.stage.some((seat) => seat.account.id === event.account)
        ? null
        : polite("stage", `${nameOf(event.account)} was muted by a host.`);
    case "stage_locked":
      return polite("stage", "The stage is locked.");
    case "stage_unlocked":
      return polite("stage", "The stage is open again.");
    case "host_transferred":
      return polite("stage", `${after.host.name} hosts this Space now.`);
    default:
      return null;
  }
}

function urgent(kind: Kind, tone: Notice["tone"], text: string, reason?: string): Notice {
  return { kind, tone, text, urgent: true, ...(reason ? { reason } : {}) };
}

function polite(kind: Kind, text: string): Notice {
  return { kind, tone: "info", text, urgent: false };
}
