"""The types of ids and units, so that one cannot be passed for another."""

from typing import NewType

SpaceId = NewType("SpaceId", str)
"""Matches ``^[a-zA-Z0-9]{1,13}$``."""
AccountId = NewType("AccountId", str)
"""Opaque; at most 24 ASCII bytes, for it lies in the media core's session records too."""
SessionId = NewType("SessionId", str)
"""One live media connection: 128 random bits as 32 hex digits."""
PinId = NewType("PinId", str)
Csrc = NewType("Csrc", int)
"""A seat's number on the wire: 24 bits, counted up by the Space's log, never reused in a Space."""
Seq = NewType("Seq", int)
"""A Space's log position: 1 is the first event; 0 is "before everything"."""
