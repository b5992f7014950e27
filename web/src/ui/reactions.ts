// The reactions a Space takes, each with its icon and name.
import type { Reaction } from "../protocol/generated";
import type { IconName } from "./icons";

export const REACTION: Record<Reaction, { icon: IconName; name: string; doing: string }> = {
  "👏": { icon: "clap", name: "Clap", doing: "clapping" },
  "❤️": { icon: "heart", name: "Heart", doing: "sending hearts" },
  "😂": { icon: "laugh", name: "Laugh", doing: "laughing" },
  "🎉": { icon: "party", name: "Celebrate", doing: "celebrating" },
  "✅": { icon: "ok", name: "Agree", doing: "agreeing" },
  "🤔": { icon: "help", name: "Not sure", doing: "wondering" },
};

export const isReaction = (emoji: string): emoji is Reaction => emoji in REACTION;
