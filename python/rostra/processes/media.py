"""The media process: a host of few imports for the native core, so that a standby is there in a few milliseconds."""

from rostra._media import serve
from rostra.processes.arguments import leave_if_orphaned, numbers, read
from rostra.processes.title import set_title


def main() -> None:
    """Waits for the region's lock, then carries all media until SIGTERM. The core itself asks to die with the supervisor."""
    set_title("rostra: media standby")
    given = read()

    def on_active() -> None:
        leave_if_orphaned(given)
        set_title("rostra: media")

    serve(
        region=int(given["region"]),
        capacity=int(given["capacity"]),
        udp=numbers(given["udp"]),
        control=int(given["control"]),
        candidates=given["candidates"].split(","),
        ready=int(given["ready"]),
        on_active=on_active,
    )


if __name__ == "__main__":
    main()
