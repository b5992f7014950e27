// How many hands are ahead of one's own. The queue is the hosts' to read, so a listener knows a bound only: nobody who
// raised a hand later is ahead, so the number can only fall.
import type { SpaceView } from "../../state/types";

export class Place {
  #least = $state(Infinity);

  constructor(private readonly space: SpaceView) {}

  /** Call it when a hand or their number changes. */
  note(): void {
    const { myHand, handCount } = this.space;
    this.#least = myHand ? Math.min(this.#least, Math.max(0, handCount - 1)) : Infinity;
  }

  /** At most this many are ahead: of the hand that is up, or of one raised now. */
  get ahead(): number {
    return this.space.myHand ? (Number.isFinite(this.#least) ? this.#least : Math.max(0, this.space.handCount - 1)) : this.space.handCount;
  }
}
