"""Levelling: how far apart two speakers are in the programme who are 20 dB apart at the microphone, and the peaks when eight talk at once.

Loudness is integrated over whole turns as ITU-R BS.1770-4 has it. The speech is compressed as a browser's gain control does it, so that the
louder of a pair does not clip. The bound is for the first pair; the quieter pairs show where the range of the levelling ends.
Usage: loudness.py [--seconds 20]"""

import argparse
import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
from common import Person, Server, report, serving

# isort: split
from foreign import Connection, listen
from load import speaking
from sounds import RATE, TEXTS, speech, write_wav
from wire import Wire

SETTLING_SECONDS = 6
APART_DB = 20
LOUD_LUFS = (-14, -17, -20)
"""The louder of each pair, at the microphone."""
TALKERS = 8


def k_weighting(frequency: np.ndarray) -> np.ndarray:
    """|H|² of BS.1770's shelf and high-pass at 48 kHz."""
    z = np.exp(-2j * np.pi * frequency / RATE)
    shelf = (1.53512485958697 - 2.69169618940638 * z + 1.19839281085285 * z**2) / (1 - 1.69065929318241 * z + 0.73248077421585 * z**2)
    high = (1 - 2 * z + z**2) / (1 - 1.99004745483398 * z + 0.99007225036621 * z**2)
    return np.abs(shelf * high) ** 2


def lufs(sound: np.ndarray) -> float:
    """Integrated loudness of mono sound: blocks of 400 ms that overlap by three quarters, gated at −70 LUFS and 10 LU below the rest."""
    block, step = int(0.4 * RATE), int(0.1 * RATE)
    weights = k_weighting(np.fft.rfftfreq(block, 1 / RATE))
    starts = range(0, len(sound) - block, step)
    spectra = (np.abs(np.fft.rfft(sound[start : start + block])) ** 2 * weights for start in starts)
    power = np.array([2 * spectrum.sum() / block**2 for spectrum in spectra])
    level = -0.691 + 10 * np.log10(power + 1e-12)
    power = power[level > -70]
    gate = -0.691 + 10 * np.log10(power.mean()) - 10
    return float(-0.691 + 10 * np.log10(power[-0.691 + 10 * np.log10(power) > gate].mean()))


def programme(connection: Connection, wire: Wire, since: int = 0) -> np.ndarray:
    """What was sent from packet ``since`` on, decoded without a playout buffer."""
    decoder = av.CodecContext.create("libopus", "r")
    frames = []
    for index, packet in enumerate(wire.down):
        payload = connection.payloads.get((packet.ssrc, packet.sequence))
        if payload:
            decoded = [frame.to_ndarray().reshape(-1, 2)[:, 0].astype(np.float32) / 32768 for frame in decoder.decode(av.Packet(payload))]
            frames += decoded if index >= since else []
    return np.concatenate(frames)


def true_peak(sound: np.ndarray) -> float:
    """dBTP at four times the rate, piece by piece."""
    loudest = 0.0
    for start in range(0, len(sound), RATE):
        piece = sound[start : start + RATE]
        spectrum = np.fft.rfft(piece)
        loudest = max(loudest, float(np.abs(np.fft.irfft(spectrum, 4 * len(piece)) * 4).max()))
    return 20 * float(np.log10(loudest + 1e-9))


def talk() -> np.ndarray:
    """Twenty seconds of speech without great peaks, at −14 LUFS."""
    sound = np.concatenate([speech(text) for text in TEXTS.values()])
    for _ in range(8):
        sound = np.tanh(sound * 10 ** ((LOUD_LUFS[0] - lufs(sound)) / 20)).astype(np.float32)
    return 0.95 * sound * min(1.0, 10 ** ((LOUD_LUFS[0] - lufs(0.95 * sound)) / 20))


@dataclass
class Hall:
    """A Space whose programme is heard."""

    server: Server
    space: str
    connection: Connection
    wire: Wire
    sound: Path
    seconds: float

    async def turn(self, person: Person, level: float) -> float:
        """One speaker alone for a while; LUFS in the programme once their level has settled."""
        with speaking(self.server.door(self.space, "whip"), person.token, "--wav", self.sound, "--level", level):
            await asyncio.sleep(SETTLING_SECONDS)
            since = len(self.wire.down)
            await asyncio.sleep(self.seconds)
            return lufs(programme(self.connection, self.wire, since))


async def run(seconds: float, folder: Path) -> None:
    spoken, wire = talk(), Wire()
    with serving() as server:
        host = Person(server.url, "Host")
        space = host.open_space()
        people = [host, *(Person(server.url, f"Speaker {at}") for at in range(1, TALKERS))]
        for person in people[1:]:
            person.seat(host, space)
        connection = await listen(server.door(space, "whep"), wire=wire)
        hall = Hall(server, space, connection, wire, write_wav(folder / "talk.wav", spoken), seconds)
        pairs = [await pair(hall, people, loud - LOUD_LUFS[0], lufs(spoken)) for loud in LOUD_LUFS]
        since = len(wire.down)
        with ExitStack() as everyone:
            for at, person in enumerate(people):
                everyone.enter_context(speaking(server.door(space, "whip"), person.token, "--babble", at + 1, "--level", 6))
            await asyncio.sleep(seconds)
        together = programme(connection, wire, since)
        await connection.close()
    wire.close()
    figures: dict[str, Any] = {"pairs": pairs, "bound_lu": 4, "talkers": TALKERS, "bound_dbfs": -1}
    figures |= {"peak_dbfs": round(20 * float(np.log10(np.abs(together).max() + 1e-9)), 2), "true_peak_dbtp": round(true_peak(together), 2)}
    report("loudness", figures | {"together_lufs": round(lufs(together), 1)})
    assert pairs[0]["apart_lu"] <= 4 and figures["peak_dbfs"] <= -1


async def pair(hall: Hall, people: list[Person], level: float, spoken: float) -> dict[str, float]:
    """Two people who speak in turn, one at ``level`` dB and one 20 dB below."""
    loud, soft = await hall.turn(people[0], level), await hall.turn(people[1], level - APART_DB)
    said = {"loud_microphone_lufs": round(spoken + level, 1), "soft_microphone_lufs": round(spoken + level - APART_DB, 1)}
    return said | {"loud_lufs": round(loud, 1), "soft_lufs": round(soft, 1), "apart_lu": round(abs(loud - soft), 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    with TemporaryDirectory(prefix="rostra-bench-") as folder:
        asyncio.run(run(parser.parse_args().seconds, Path(folder)))


if __name__ == "__main__":
    main()
