"""When a dead child is started again and when a live one counts as hung, on a clock of the test's own."""

from rostra.processes.restarts import LONGEST_DELAY_SECONDS, STALL_SECONDS, TAKEOVER_SECONDS, Deaths, Watch, delay, is_poisoned


def test_first_deaths_cost_no_time_and_later_ones_never_more_than_two_seconds() -> None:
    deaths = Deaths()
    delays = [delay(deaths.add(now=0.1 * at)) for at in range(20)]
    assert delays[:4] == [0.0, 0.0, 0.0, 0.0]
    assert delays[4] > 0
    assert delays == sorted(delays)
    assert delays[-1] == LONGEST_DELAY_SECONDS


def test_old_deaths_are_forgotten() -> None:
    deaths = Deaths()
    assert [delay(deaths.add(now=3.0 * at)) for at in range(100)] == [0.0] * 100
    assert deaths.add(now=1000.0) == 1


def test_the_third_crash_within_ten_seconds_accuses_the_region() -> None:
    crashes = Deaths()
    assert [is_poisoned(crashes.add(now)) for now in (0.0, 4.0, 10.5, 13.0)] == [False, False, False, True]
    crashes.clear()
    assert not is_poisoned(crashes.add(13.1))


class Looks:
    """A supervisor's looks, four a second, at a media process that says it lives until ``last_beat``."""

    def __init__(self) -> None:
        self.watch, self.now = Watch(), 100.0

    def until(self, end: float, *, last_beat: float = 1e9, serving_since: float | None = 50.0) -> float | None:
        """When the first stall is seen."""
        while self.now < end:
            self.now += 0.25
            beat = min(self.now, last_beat)
            if self.watch.stalls(self.now, beat, serving_since):
                return self.now
        return None


def test_a_living_process_is_left_alone_even_if_it_says_so_only_once_a_second() -> None:
    looks = Looks()
    for second in range(100, 160):
        assert looks.until(second + 1.0, last_beat=second + 0.01) is None


def test_a_hung_process_is_found_soon_after_its_last_beat() -> None:
    looks = Looks()
    assert looks.until(110.0) is None
    seen = looks.until(120.0, last_beat=110.0)
    assert seen is not None and STALL_SECONDS < seen - 110.0 <= STALL_SECONDS + 0.25


def test_one_stall_is_told_once_so_that_a_successor_has_its_time() -> None:
    looks = Looks()
    looks.until(110.0)
    first = looks.until(120.0, last_beat=110.0)
    second = looks.until(130.0, last_beat=110.0)
    assert first is not None and second is not None and second - first > STALL_SECONDS


def test_our_own_pause_is_nobody_elses_stall() -> None:
    looks = Looks()
    assert looks.until(110.0) is None
    looks.now = 5000.0  # The machine slept, or the whole group was stopped.
    assert looks.until(5001.5, last_beat=110.0) is None
    assert looks.until(5010.0) is None


def test_a_successor_is_not_blamed_for_the_last_beat_of_the_dead() -> None:
    looks = Looks()
    assert looks.until(110.0) is None
    assert looks.until(111.5, last_beat=110.0, serving_since=None) is None
    assert looks.until(112.5, last_beat=110.0, serving_since=111.5) is None


def test_a_takeover_that_never_comes_is_noticed() -> None:
    looks = Looks()
    assert looks.until(110.0) is None
    seen = looks.until(130.0, last_beat=110.0, serving_since=None)
    assert seen is not None and TAKEOVER_SECONDS < seen - 110.0 <= TAKEOVER_SECONDS + 0.5
