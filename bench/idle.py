"""An idle server: CPU and memory of all its processes over a quiet time.

Usage: idle.py [--seconds 30]"""

import argparse
import time

from common import cpu_seconds, proportional_kib, report, serving

ROLES = ("api", "media", "media standby", "worker")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    given = parser.parse_args()
    with serving() as server:
        assert server.process is not None
        time.sleep(3)
        pids = {"serve": server.process.pid} | {role: pid for role in ROLES for pid in server.children(role)}
        before = {role: cpu_seconds(pid) for role, pid in pids.items()}
        time.sleep(given.seconds)
        used = {role: round((cpu_seconds(pid) - before[role]) / given.seconds * 100, 3) for role, pid in pids.items()}
        memory = {role: proportional_kib(pid) // 1024 for role, pid in pids.items()}
    figures = {"seconds": given.seconds, "core_percent": used, "core_percent_all": round(sum(used.values()), 2)}
    report("idle", {**figures, "pss_mib": memory, "pss_mib_all": sum(memory.values())})


main()
