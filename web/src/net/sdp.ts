// The few lines of SDP that an ICE restart by PATCH needs (RFC 9725 §4.3.3, RFC 8840).

/** The fragment that asks for an ICE restart: the new credentials of a local offer. */
export function restartFragment(offer: string): string {
  const take = (pattern: RegExp) => pattern.exec(offer)?.[0];
  const lines = [/^a=group:BUNDLE .*$/m, /^m=audio .*$/m, /^a=mid:.*$/m, /^a=ice-ufrag:.*$/m, /^a=ice-pwd:.*$/m].map(take);
  return lines.filter((line) => line !== undefined).map((line) => `${line.trim()}\r\n`).join("");
}

/** The last answer with the credentials and candidates of a restart's fragment; null if the fragment has none. */
export function answerWith(answer: string, fragment: string): string | null {
  const ufrag = /^a=ice-ufrag:.*$/m.exec(fragment)?.[0].trim();
  const pwd = /^a=ice-pwd:.*$/m.exec(fragment)?.[0].trim();
  if (!ufrag || !pwd) return null;
  const candidates = fragment.split(/\r?\n/).filter((line) => line.startsWith("a=candidate:"));
  const out: string[] = [];
  let placed = candidates.length === 0;
  for (const line of answer.trimEnd().split(/\r?\n/)) {
    if (line.startsWith("a=ice-ufrag:")) out.push(ufrag);
    else if (line.startsWith("a=ice-pwd:")) out.push(pwd);
    else if (!line.startsWith("a=candidate:") || candidates.length === 0) out.push(line);
    else if (!placed) {
      out.push(...candidates);
      placed = true;
    }
  }
  return out.join("\r\n") + "\r\n";
}
