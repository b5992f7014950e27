"""Firefox ESR through the same page: it listens, comes to the stage, and is heard."""

import asyncio
from pathlib import Path

from firefox import Firefox
from foreign import hears, listen, speak
from server import Person, Server, private_address
from sounds import heard, voice, write_wav

PRESENT, ABSENT = 5.0, 3.0


async def test_firefox_listens_and_speaks(tmp_path: Path, closing: list) -> None:
    with private_address() as address:
        server = Server(tmp_path / "data", {"ROSTRA_MEDIA_UDP": "0.0.0.0:0", "ROSTRA_MEDIA_ADVERTISE": address}).start()
        try:
            host = Person(server.url, "Amara")
            space = host.open_space()
            closing.append(await speak(server.door(space, "whip"), host.token, voice("ann")))
            stranger = await listen(server.door(space, "whep"))
            closing.append(stranger)
            await hears(stranger, "ann")
            firefox = await asyncio.to_thread(Firefox(tmp_path).__enter__)
            closing.append(Closing(firefox))
            await asyncio.to_thread(listens, firefox, f"{server.url}/s/{space}")
            await asyncio.to_thread(comes_up, firefox, host, space, write_wav(tmp_path / "ben.wav", voice("ben")))
            await hears(stranger, "ben", seconds=15.0)
            # On the stage it hears the others, and not itself.
            scores = heard(await asyncio.to_thread(firefox.listen, 3.0))
            assert scores["ann"] > PRESENT and scores["ben"] < ABSENT, scores
        finally:
            for each in closing:
                await each.close()
            closing.clear()
            server.stop()


class Closing:
    """A browser that closes as connections do."""

    def __init__(self, firefox: Firefox) -> None:
        self._firefox = firefox

    async def close(self) -> None:
        self._firefox.close()


def listens(firefox: Firefox, link: str) -> None:
    firefox.goto(link)
    firefox.click("//button[normalize-space()='Listen in']")
    firefox.find("//button[@aria-label='Silence the stage for me']")
    scores = heard(firefox.listen(3.0))
    assert scores["ann"] > PRESENT and scores["ben"] < ABSENT, scores


def comes_up(firefox: Firefox, host: Person, space: str, sound: Path) -> None:
    firefox.give_microphone(sound)
    firefox.click("//button[contains(., 'Raise hand')]")
    firefox.type("//form//input", "Fatou")
    firefox.click("//form//button[@type='submit']")
    firefox.find("//button[contains(., 'Hand up')]")
    (hand,) = host.snapshot(space)["hands"]
    host.must(space, "approve_hand", account=hand["account"]["id"])
    firefox.click("//button[contains(@aria-label, 'is off. Turn on')]")
    firefox.find("//button[contains(@aria-label, 'is on. Turn off')]")
