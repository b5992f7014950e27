"""Ids and tokens from the operating system's random source."""

import secrets

from rostra.domain.ids import AccountId, PinId, SessionId, SpaceId

# No vowels and no look-alikes: an id never spells a word and survives being read aloud.
_ALPHABET = "23456789bcdfghjkmnpqrstvwxz"


def _word(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


class SecretIds:
    """The ``Ids`` port."""

    def space(self) -> SpaceId:
        return SpaceId(_word(13))

    def account(self) -> AccountId:
        return AccountId(_word(16))

    def session(self) -> SessionId:
        return SessionId(secrets.token_hex(16))

    def pin(self) -> PinId:
        return PinId(_word(10))

    def token(self) -> str:
        return secrets.token_urlsafe(32)
