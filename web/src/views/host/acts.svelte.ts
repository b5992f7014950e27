// What a host may do to a seat or a person: act first, say what happened; only removal asks before.
import type { Account, Seat } from "../../protocol/generated";
import type { SpaceView } from "../../state/types";
import { act } from "../../ui/act";
import { shortName } from "../../ui/identity";

/** A question that is asked before an act. */
export type Ask = { kind: "end" } | { kind: "remove" | "ban" | "warn" | "transfer"; account: Account };

export class Acts {
  constructor(
    private readonly space: SpaceView,
    private readonly ask: (ask: Ask) => void,
  ) {}

  toggleMute(seat: Seat): void {
    const who = shortName(seat.account.name);
    if (seat.mute) void act(() => this.space.unmute(seat.account.id), `${who} may speak again. Their mic stays off until they turn it on.`);
    else void act(() => this.space.mute(seat.account.id), `${who} is muted.`);
  }

  toAudience(seat: Seat): void {
    void act(() => this.space.moveToAudience(seat.account.id), `${shortName(seat.account.name)} is in the audience.`);
  }

  isCohost(account: Account): boolean {
    return this.space.snapshot?.cohosts.some((one) => one.id === account.id) ?? false;
  }

  toggleCohost(account: Account): void {
    const who = shortName(account.name);
    if (this.isCohost(account)) void act(() => this.space.removeCohost(account.id), `${who} is no longer a co-host.`);
    else void act(() => this.space.addCohost(account.id), `${who} is a co-host.`);
  }

  invite(account: Account): void {
    void act(() => this.space.invite(account.id), `${shortName(account.name)} is called up. They choose whether to come.`);
  }

  approve(account: Account): void {
    void act(() => this.space.approve(account.id), `${shortName(account.name)} is on stage, mic off.`);
  }

  decline(account: Account): void {
    void act(() => this.space.decline(account.id), `${shortName(account.name)}'s hand is down.`);
  }

  bringUpFirst(): void {
    const first = this.space.hands[0];
    if (first) this.approve(first.account);
  }

  toggleLock(): void {
    if (this.space.snapshot?.stage_locked) void act(() => this.space.unlockStage(), "The stage is open.");
    else void act(() => this.space.lockStage(), "The stage is locked. Nobody can be brought up.");
  }

  muteAll(): void {
    void act(() => this.space.muteAll(), "Everyone but the hosts is muted.");
  }

  unban(account: Account): void {
    void act(() => this.space.unban(account.id), `${shortName(account.name)} may come back.`);
  }

  remove(account: Account): void {
    if (this.space.canModerate(account.id)) this.ask({ kind: "remove", account });
  }

  ban(account: Account): void {
    if (this.space.canModerate(account.id)) this.ask({ kind: "ban", account });
  }

  warn(account: Account): void {
    this.ask({ kind: "warn", account });
  }

  transfer(account: Account): void {
    this.ask({ kind: "transfer", account });
  }
}
