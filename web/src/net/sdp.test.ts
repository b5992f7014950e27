// An ICE restart changes credentials and candidates, and nothing else.
import { expect, test } from "vitest";
import { answerWith, restartFragment } from "./sdp";

const OFFER = [
  "v=0", "a=group:BUNDLE 0 1", "m=audio 9 UDP/TLS/RTP/SAVPF 111 63", "a=ice-ufrag:new1", "a=ice-pwd:secret1", "a=mid:0",
  "m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=ice-ufrag:new1", "a=ice-pwd:secret1", "a=mid:1", "",
].join("\r\n");

const ANSWER = [
  "v=0", "a=ice-lite", "m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:0", "a=setup:passive", "a=ice-ufrag:old", "a=ice-pwd:oldpwd",
  "a=candidate:1 1 udp 1 127.0.0.1 1 typ host", "a=candidate:2 1 udp 1 10.0.0.1 1 typ host", "a=end-of-candidates",
  "m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:1", "a=ice-ufrag:old", "a=ice-pwd:oldpwd", "",
].join("\r\n");

test("the fragment has the first section's credentials", () => {
  expect(restartFragment(OFFER)).toBe(
    "a=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\na=mid:0\r\na=ice-ufrag:new1\r\na=ice-pwd:secret1\r\n",
  );
});

test("the answer takes what the server's fragment says, in every section", () => {
  const fragment = "a=ice-lite\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=ice-ufrag:n\r\na=ice-pwd:np\r\na=candidate:1 1 udp 1 10.0.0.9 9 typ host\r\na=end-of-candidates\r\n";
  const answer = answerWith(ANSWER, fragment) ?? "";
  expect(answer.match(/a=ice-ufrag:n\r\n/g)).toHaveLength(2);
  expect(answer.match(/a=ice-pwd:np\r\n/g)).toHaveLength(2);
  expect(answer).not.toContain("old");
  expect(answer.match(/a=candidate:/g)).toHaveLength(1);
  expect(answer).toContain("10.0.0.9 9");
  expect(answer.replace(/a=(ice|cand).*\r\n/g, "")).toBe(ANSWER.replace(/a=(ice|cand).*\r\n/g, ""));
});

test("without new candidates the old ones stay; without credentials there is no answer", () => {
  expect(answerWith(ANSWER, "a=ice-ufrag:n\r\na=ice-pwd:np\r\n")?.match(/a=candidate:/g)).toHaveLength(2);
  expect(answerWith(ANSWER, "a=mid:0\r\n")).toBeNull();
});
