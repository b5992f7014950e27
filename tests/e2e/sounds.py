"""Sound for tests, made here: speech by espeak-ng mixed with a little tune, so that every speaker can be told from every other."""

import subprocess
import wave
from pathlib import Path

import numpy as np

RATE = 48_000
TEXTS = {
    "ann": "The lights stayed on all night, and nobody in the street could say why. Then the engineers told us how it was done.",
    "ben": "I ran the backup plant by the river for nine years. We paid for the fuel test each month out of our own pockets.",
    "cem": "Could you say that again for the people at the back? The second question was about the bridge and the water main.",
}
# Each speaker's tune has three notes (Hz) that no other has: music for the mix, and a name tag for the ear. All clear of each other's
# harmonics below 2 kHz and inside the band that Opus keeps at 32 kbit/s.
TUNES = {"ann": (440.0, 587.3, 783.9), "ben": (523.2, 698.4, 932.3), "cem": (622.2, 830.6, 1108.7)}
NOTE_SECONDS = 0.25


def speech(text: str) -> np.ndarray:
    """``text`` spoken: float32 mono at 48 kHz, peak 0.5."""
    raw = subprocess.run(["espeak-ng", "-v", "en", "-s", "165", "--stdout", text], check=True, capture_output=True).stdout
    samples = np.frombuffer(raw[44:], dtype="<i2").astype(np.float32)
    at = np.arange(0, len(samples) - 1, 22_050 / RATE)
    sound = np.interp(at, np.arange(len(samples)), samples).astype(np.float32)
    return 0.5 * sound / np.abs(sound).max()


def tune(notes: tuple[float, ...], seconds: float) -> np.ndarray:
    """A plucked arpeggio over ``notes``: float32 mono at 48 kHz, peak about 0.35."""
    note = int(NOTE_SECONDS * RATE)
    envelope = np.minimum(1, np.arange(note) / 480) * np.exp(-np.arange(note) / (0.2 * RATE))
    out = np.zeros(int(seconds * RATE), dtype=np.float32)
    for index, start in enumerate(range(0, len(out) - note, note)):
        phase = 2 * np.pi * notes[index % len(notes)] * np.arange(note) / RATE
        out[start : start + note] += (0.35 * envelope * np.sin(phase)).astype(np.float32)
    return out


def voice(name: str, seconds: float = 20.0) -> np.ndarray:
    """What ``name`` says: speech over their tune, float32 mono at 48 kHz."""
    sound = tune(TUNES[name], seconds)
    spoken = speech(TEXTS[name])
    for start in range(0, len(sound), len(spoken) + RATE // 2):
        part = spoken[: max(0, len(sound) - start)]
        sound[start : start + len(part)] += 0.5 * part
    return np.clip(sound, -0.95, 0.95)


def write_wav(path: Path, sound: np.ndarray) -> Path:
    """``sound`` as a 16-bit mono WAV file, the form Chromium's fake microphone reads."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def heard(sound: np.ndarray) -> dict[str, float]:
    """How present each speaker's tune is in ``sound`` (48 kHz mono, ≥ 1 s): the energy at their notes over the energy beside them.

    About 1 when the speaker is absent, above 5 when they are heard."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    width = RATE / len(sound)

    def band(low: float, high: float) -> float:
        return float(spectrum[int(low / width) : int(high / width) + 1].mean()) + 1e-12

    scores = {}
    for name, notes in TUNES.items():
        ratios = [band(note - 3, note + 3) / (0.5 * (band(note - 28, note - 12) + band(note + 12, note + 28))) for note in notes]
        scores[name] = float(np.median(ratios))
    return scores


def loudness(sound: np.ndarray) -> float:
    """RMS level in dBFS; −120 for silence."""
    return float(20 * np.log10(max(1e-6, float(np.sqrt(np.mean(np.square(sound)))))))
