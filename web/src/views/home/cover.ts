// A Space's cover from its card: one part of the rim per voice on stage, in the order of the seats.
import type { SpaceCard } from "../../protocol/generated";
import { hue, type Part } from "../../ui/arc";
import { language } from "../../ui/words";

export const cover = (card: SpaceCard): Part[] => card.speakers.map((_, n) => ({ v: hue(n + 1), share: 1 }));

/** "Português · Health", whatever of it is known. */
export const kind = (card: SpaceCard): string => [card.lang && language(card.lang), ...card.topics.slice(0, 2)].filter(Boolean).join(" · ");
