// Server-Sent Events, parsed from text as it arrives (WHATWG HTML §9.2.6).

export interface Frame {
  /** null: the event has no id of its own. */
  id: string | null;
  event: string;
  data: string;
}

/** Takes chunks in any cut and gives whole frames; comments and unknown fields give nothing. */
export class FrameParser {
  #rest = "";
  #id: string | null = null;
  #event = "";
  #data: string[] = [];

  push(chunk: string): Frame[] {
    const frames: Frame[] = [];
    const text = this.#rest + chunk;
    // A final CR may be half of a CRLF, so it waits for what follows.
    const whole = text.endsWith("\r") ? text.length - 1 : text.length;
    let start = 0;
    for (const ending of text.slice(0, whole).matchAll(/\r\n|\n|\r/g)) {
      const frame = this.#line(text.slice(start, ending.index));
      if (frame) frames.push(frame);
      start = ending.index + ending[0].length;
    }
    this.#rest = text.slice(start);
    return frames;
  }

  #line(line: string): Frame | null {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#event = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    return null;
  }

  #dispatch(): Frame | null {
    const frame = { id: this.#id, event: this.#event || "message", data: this.#data.join("\n") };
    const empty = this.#data.length === 0;
    this.#id = null;
    this.#event = "";
    this.#data = [];
    return empty ? null : frame;
  }
}
