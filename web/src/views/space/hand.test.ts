// How many are ahead of a raised hand, as far as a listener can know.
import { expect, test } from "vitest";
import type { SpaceView } from "../../state/types";
import { Place } from "./hand.svelte";

test("the number ahead only falls while the hand is up", () => {
  const space = { myHand: null as object | null, handCount: 5 };
  const place = new Place(space as unknown as SpaceView);
  const seen: number[] = [];
  const step = (change: Partial<typeof space>): void => {
    Object.assign(space, change);
    place.note();
    seen.push(place.ahead);
  };
  step({}); // five are waiting
  step({ myHand: {}, handCount: 6 }); // mine is the sixth
  step({ handCount: 9 }); // three more behind me
  step({ handCount: 3 }); // six gone: at most two of the rest are ahead
  step({ handCount: 7 });
  step({ myHand: null, handCount: 6 }); // down; up again means last
  expect(seen).toEqual([5, 5, 5, 2, 2, 6]);
});
