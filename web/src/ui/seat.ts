// What a seat shows: one state, the icon and the words for it. Shape and words carry it; colour only repeats it.
import type { SpaceView } from "../state/types";
import type { Role, Seat } from "../protocol/generated";
import type { IconName } from "./icons";

export type SeatState = "speaking" | "quiet" | "off" | "muted" | "reconnecting";

export const ROLE: Record<Role, string> = { host: "Host", cohost: "Co-host", speaker: "Speaker", listener: "Listener" };

const WORDS: Record<SeatState, string> = {
  speaking: "speaking",
  quiet: "mic on",
  off: "mic off",
  muted: "muted by a host",
  reconnecting: "reconnecting",
};

export const SEAT_ICON: Record<SeatState, IconName> = {
  speaking: "mic",
  quiet: "mic",
  off: "mic-off",
  muted: "mic-lock",
  reconnecting: "spin",
};

export function seatState(space: SpaceView, seat: Seat): SeatState {
  if (seat.mute) return "muted";
  // One's own seat shows what one's own microphone does here, whatever an earlier visit left in the log.
  if (seat.csrc === space.mySeat?.csrc && space.mic !== "on") return space.mic === "reconnecting" ? "reconnecting" : "off";
  if (seat.mic === "off") return "off";
  if (space.isOffAir(seat)) return "reconnecting";
  return space.speaking.some((one) => one.seat.csrc === seat.csrc) ? "speaking" : "quiet";
}

/** "Seat 5, Dmitri Vasilenko-Hartmann, Speaker, muted by a host". */
export function seatName(seat: Seat, state: SeatState, own: boolean): string {
  return `Seat ${seat.seat}, ${seat.account.name}, ${ROLE[seat.role]}, ${WORDS[state]}${own ? ", you" : ""}`;
}
