"""Anyone commands anything, in any order: no sequence breaks an invariant, and the log alone rebuilds the Space."""

from random import Random

import pytest
from anyone import FINAL, OFTEN, PEOPLE, WISHES, Watched, Wisher
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from rostra.domain import commands as c
from rostra.domain import events as e
from rostra.domain.roles import PERMITTED

KINDS = st.sampled_from(OFTEN)
SOMEONE = st.sampled_from(PEOPLE)
CHANCE = st.randoms(use_true_random=False)


class AnySequence(RuleBasedStateMachine):
    """Few steps, chosen so that a failure shrinks to its shortest story."""

    @initialize(seats=st.sampled_from([3, 2, 4, 1]), open=st.sampled_from([True, False]))
    def begin(self, seats: int, *, open: bool) -> None:
        self.watched = Watched(seats, open=open)

    @rule(by=SOMEONE, kind=KINDS, rng=CHANCE)
    def anyone(self, by: c.Account, kind: type, rng: Random) -> None:
        self.watched.do(by, WISHES[kind](Wisher(rng, self.watched.script)))

    @rule(kind=KINDS, rng=CHANCE)
    def the_host(self, kind: type, rng: Random) -> None:
        self.watched.do(self.watched.host, WISHES[kind](Wisher(rng, self.watched.script)))

    @rule(who=SOMEONE, question=st.sampled_from(["asked-1", ""]), talking=st.booleans())
    def to_the_stage(self, who: c.Account, question: str, *, talking: bool) -> None:
        for by, command in ((who, c.RaiseHand(question)), (self.watched.host, c.ApproveHand(who.id)), (who, c.SetMic(on=talking))):
            self.watched.do(by, command)

    @rule(minutes=st.sampled_from([1, 45]))
    def wait(self, minutes: int) -> None:
        self.watched.wait(minutes)

    def teardown(self) -> None:
        if hasattr(self, "watched"):
            self.watched.finish()


TestAnySequence = AnySequence.TestCase
TestAnySequence.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)

WALKS, STEPS = 48, 250


def walk(seed: int) -> Watched:
    """A long life of a Space in which every kind of command has an even chance."""
    rng = Random(seed)
    never_opens = seed % 8 == 0
    kinds = [kind for kind in OFTEN if not (never_opens and kind is c.Open)]
    watched = Watched(
        rng.choice([1, 2, 3, 4]), open=not never_opens and rng.random() < 0.7, who_may_speak=rng.choice(["everyone", "everyone", "invited"])
    )
    for _ in range(STEPS):
        by = watched.host if rng.random() < 0.4 else rng.choice(PEOPLE)
        watched.do(by, WISHES[rng.choice(kinds)](Wisher(rng, watched.script)))
        if rng.random() < 0.1:
            watched.wait(rng.choice([1, 45]))
    watched.finish()
    return watched


@pytest.fixture(scope="module")
def walks() -> list[Watched]:
    return [walk(seed) for seed in range(WALKS)]


def test_long_walks_meet_every_event(walks: list[Watched]) -> None:
    met = {kind for watched in walks for kind in watched.happened}
    assert met == set(e.KINDS) - {e.SpaceCreated}
    assert sum(watched.script.space.seq for watched in walks) > WALKS * STEPS / 6


def test_every_command_is_wished_for() -> None:
    assert set(WISHES) == set(PERMITTED) == {*OFTEN, *FINAL}
