// Listens to what a page's media elements really play: their streams, mixed as the page plays them (paused and muted are silence),
// with the moment of each piece. `ears.take()` hands over what was heard since the last call. `earsAt(stream)` makes another pair of
// ears at a single stream, such as a microphone's.
(() => {
  if (window.ears) return;
  const SIZE = 1024;

  function hear() {
    const context = new AudioContext({ sampleRate: 48000, latencyHint: "interactive" });
    const mix = context.createGain();
    const tap = context.createScriptProcessor(SIZE, 1, 1);
    let pieces = [];
    // Wall time of the context's time 0, as well as it can be known: the smallest of the last second, because callbacks only come late.
    // Not of all time, because a context without a sound card stops its clock when the machine is busy.
    const origins = [];
    mix.channelCount = 1;
    mix.channelCountMode = "explicit";
    mix.connect(tap);
    tap.connect(context.destination);
    tap.onaudioprocess = (event) => {
      const sound = event.inputBuffer.getChannelData(0);
      const end = event.playbackTime;
      origins.push(performance.timeOrigin + performance.now() - end * 1000);
      if (origins.length > 48) origins.shift();
      const start = Math.min(...origins) + end * 1000 - SIZE / 48;
      pieces.push([start, Int16Array.from(sound, (x) => Math.max(-1, Math.min(1, x)) * 32767)]);
      if (pieces.length > 60 * 48) pieces.shift();
    };
    /** Everything since the last call: {at: wall ms of the first sample of every 1024, pcm: base64 of int16}. */
    const take = () => {
      const taken = pieces;
      pieces = [];
      const all = new Int16Array(taken.length * SIZE);
      taken.forEach(([, sound], index) => all.set(sound, index * SIZE));
      return { at: taken.map(([start]) => start), state: context.state, pcm: base64(new Uint8Array(all.buffer)) };
    };
    return { context, mix, take };
  }

  function base64(bytes) {
    let text = "";
    for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
    return btoa(text);
  }

  const { context, mix, take } = hear();
  const known = new Map();

  function attach(element) {
    const stream = element.srcObject;
    const before = known.get(element);
    if (before && before.stream === stream) return before;
    if (before) before.gain.disconnect();
    if (!stream || stream.getAudioTracks().length === 0) return known.delete(element) && null;
    const gain = context.createGain();
    gain.gain.value = 0;
    context.createMediaStreamSource(stream).connect(gain).connect(mix);
    const now = { stream, gain };
    known.set(element, now);
    return now;
  }

  function look() {
    const elements = [...document.querySelectorAll("audio, video")];
    for (const element of known.keys()) {
      if (!elements.includes(element)) {
        known.get(element).gain.disconnect();
        known.delete(element);
      }
    }
    for (const element of elements) {
      const link = attach(element);
      if (link) link.gain.gain.value = element.paused || element.muted ? 0 : element.volume;
    }
  }
  setInterval(look, 20);
  look();
  // A stream is heard from the moment it is given to an element, not from the next look.
  const given = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "srcObject");
  Object.defineProperty(HTMLMediaElement.prototype, "srcObject", {
    ...given,
    set(stream) {
      given.set.call(this, stream);
      queueMicrotask(look);
    },
  });

  window.ears = { take };
  window.earsAt = async (stream) => {
    const at = hear();
    at.context.createMediaStreamSource(stream).connect(at.mix);
    await at.context.resume();
    return { take: at.take };
  };
  return context.resume().then(() => true);
})();
