// Every act of a person in a Space as a method: one command each, and what came of it.
import type { Command, Details } from "../protocol/generated";
import type { Result } from "./types";

export abstract class SpaceCommands {
  /** Send a wish and let what came of it be true. */
  protected abstract wish(command: Command): Promise<Result>;

  raiseHand(question = ""): Promise<Result> {
    return this.wish({ type: "raise_hand", question });
  }

  lowerHand(): Promise<Result> {
    return this.wish({ type: "lower_hand" });
  }

  approve(account: string): Promise<Result> {
    return this.wish({ type: "approve_hand", account });
  }

  decline(account: string, reason = ""): Promise<Result> {
    return this.wish({ type: "decline_hand", account, reason });
  }

  invite(account: string): Promise<Result> {
    return this.wish({ type: "invite_to_stage", account });
  }

  acceptInvite(): Promise<Result> {
    return this.wish({ type: "accept_invite" });
  }

  declineInvite(): Promise<Result> {
    return this.wish({ type: "decline_invite" });
  }

  moveToAudience(account: string, reason = ""): Promise<Result> {
    return this.wish({ type: "move_to_audience", account, reason });
  }

  mute(account: string, reason = ""): Promise<Result> {
    return this.wish({ type: "mute", account, reason });
  }

  unmute(account: string): Promise<Result> {
    return this.wish({ type: "unmute", account });
  }

  muteAll(except: string[] = []): Promise<Result> {
    return this.wish({ type: "mute_all", except });
  }

  remove(account: string, reason: string, minutes?: number): Promise<Result> {
    return this.wish({ type: "remove", account, reason, ...(minutes ? { minutes } : {}) });
  }

  ban(account: string, reason: string, until?: string): Promise<Result> {
    return this.wish({ type: "ban", account, reason, ...(until ? { until } : {}) });
  }

  unban(account: string): Promise<Result> {
    return this.wish({ type: "unban", account });
  }

  warn(account: string, text: string): Promise<Result> {
    return this.wish({ type: "warn", account, text });
  }

  addCohost(account: string): Promise<Result> {
    return this.wish({ type: "add_cohost", account });
  }

  removeCohost(account: string): Promise<Result> {
    return this.wish({ type: "remove_cohost", account });
  }

  transferHost(account: string): Promise<Result> {
    return this.wish({ type: "transfer_host", account });
  }

  lockStage(): Promise<Result> {
    return this.wish({ type: "lock_stage" });
  }

  unlockStage(): Promise<Result> {
    return this.wish({ type: "unlock_stage" });
  }

  pin(url: string, title = ""): Promise<Result> {
    return this.wish({ type: "pin", url, title });
  }

  unpin(pin: string): Promise<Result> {
    return this.wish({ type: "unpin", pin });
  }

  react(emoji: string): Promise<Result> {
    return this.wish({ type: "react", emoji });
  }

  open(): Promise<Result> {
    return this.wish({ type: "open" });
  }

  end(): Promise<Result> {
    return this.wish({ type: "end" });
  }

  cancel(): Promise<Result> {
    return this.wish({ type: "cancel" });
  }

  updateDetails(changes: Partial<Details>): Promise<Result> {
    return this.wish({ type: "update_details", ...changes });
  }
}
