// Listens to what a page's media elements really play: their streams, mixed as the page plays them (paused and muted are silence),
// with the moment of each piece. Installed by the tests in Chromium and Firefox; `ears.take()` hands over what was heard since the last call.
(() => {
  if (window.ears) return;
  const SIZE = 1024;
  const context = new AudioContext({ sampleRate: 48000 });
  const mix = context.createGain();
  const tap = context.createScriptProcessor(SIZE, 1, 1);
  const known = new Map();
  let pieces = [];
  // Wall time of the context's time 0, as well as it can be known: the smallest seen, because callbacks only come late.
  let origin = Infinity;
  mix.channelCount = 1;
  mix.channelCountMode = "explicit";
  mix.connect(tap);
  tap.connect(context.destination);
  tap.onaudioprocess = (event) => {
    const sound = event.inputBuffer.getChannelData(0);
    const end = event.playbackTime;
    origin = Math.min(origin, performance.timeOrigin + performance.now() - end * 1000);
    pieces.push([end, Int16Array.from(sound, (x) => Math.max(-1, Math.min(1, x)) * 32767)]);
    if (pieces.length > 60 * 48) pieces.shift();
  };

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

  const base64 = (bytes) => {
    let text = "";
    for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
    return btoa(text);
  };
  window.ears = {
    context,
    /** Everything since the last call: {at: wall ms of the first sample, pcm: base64 of int16, playing: elements that play}. */
    take() {
      const taken = pieces;
      pieces = [];
      const all = new Int16Array(taken.length * SIZE);
      taken.forEach(([, sound], index) => all.set(sound, index * SIZE));
      const at = taken.length ? origin + taken[0][0] * 1000 - (SIZE / 48) : 0;
      const playing = [...known.keys()].filter((element) => !element.paused && !element.muted).length;
      return { at, state: context.state, playing, pcm: base64(new Uint8Array(all.buffer)) };
    },
  };
  return context.resume().then(() => true);
})();
