"""Who is calling: an account, a device, an address; and the names under which the media core knows the anonymous."""

import base64
import hashlib
from dataclasses import dataclass

from rostra.domain.commands import Account


def digest(kind: str, value: str) -> str:
    """A short one-way name of a device cookie or address: 22 characters, 132 bits."""
    return base64.urlsafe_b64encode(hashlib.sha256(f"{kind}\0{value}".encode()).digest())[:22].decode()


@dataclass(frozen=True, slots=True)
class Caller:
    """One request's author. ``device`` is the hashed device cookie (or empty), ``address`` the hashed source address."""

    account: Account | None
    device: str
    address: str

    def owner(self, nonce: str) -> str:
        """The media core's owner of a session opened now: at most 24 bytes. An account or a device has one session per feed;
        a bare address may have many, told apart by ``nonce``."""
        if self.account is not None:
            return self.account.id
        return device_owner(self.device) if self.device else f"{self._address_prefix()}{nonce[:12]}"

    def owns(self, owner: str) -> bool:
        """Whether a session of ``owner`` is the caller's."""
        if self.account is not None and owner == self.account.id:
            return True
        if self.device and owner == device_owner(self.device):
            return True
        return owner.startswith(self._address_prefix())

    def _address_prefix(self) -> str:
        return f"a.{self.address[:10]}"


def device_owner(device: str) -> str:
    """The owner of an anonymous session on a device."""
    return f"d.{device}"
