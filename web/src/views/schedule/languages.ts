// Languages to choose from, the reader's own first, each as its speakers write it.
import { language } from "../../ui/words";

const COMMON = [
  "ar",
  "bn",
  "cs",
  "da",
  "de",
  "el",
  "en",
  "es",
  "eu",
  "fa",
  "fi",
  "fr",
  "he",
  "hi",
  "hu",
  "id",
  "it",
  "ja",
  "ko",
  "nl",
  "no",
  "pl",
  "pt",
  "ro",
  "ru",
  "sv",
  "sw",
  "th",
  "tr",
  "uk",
  "ur",
  "vi",
  "zh",
];

export function languages(): [tag: string, name: string][] {
  const own = navigator.languages.map((tag) => tag.split("-")[0] ?? tag);
  const tags = [...new Set([...own, ...COMMON])];
  return tags.map((tag) => [tag, language(tag)]);
}
