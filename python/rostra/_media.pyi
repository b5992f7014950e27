"""What the native module offers: the media core, run on inherited descriptors."""

from collections.abc import Callable, Sequence

def serve(
    *,
    region: int,
    capacity: int,
    udp: Sequence[int],
    control: int,
    candidates: Sequence[str],
    ready: int | None,
    on_active: Callable[[], None],
) -> None:
    """Run the media core until SIGTERM, without the GIL.

    ``region`` is a memfd (made a region for ``capacity`` sessions if empty), ``udp`` bound sockets, ``control`` a listening Unix
    socket; all are taken over. ``candidates`` are ``address:port`` texts for SDP answers. The process first waits for the region's
    lock (and writes ``standby`` to ``ready``), then serves (``ready``, and one call of ``on_active``). It dies with its parent.
    Raises OSError if the region or a socket cannot be used, ValueError for a malformed argument."""
