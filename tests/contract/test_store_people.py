"""Accounts and sessions, for every store."""

from datetime import timedelta

import pytest
from store_examples import ANN, HOST, NOW, Ports, card, entry

from rostra.domain import commands as c
from rostra.domain.ids import AccountId, Seq, SpaceId
from rostra.ports import Accounts, Answer, Conflict

TOKEN, OTHER = b"\x01" * 32, b"\x02" * 32
LATER = NOW + timedelta(days=30)


async def test_an_account_is_found_by_token_and_id(accounts: Accounts) -> None:
    await accounts.create(ANN, TOKEN, "device", NOW, LATER)
    assert await accounts.by_token(TOKEN, NOW) == ANN
    assert await accounts.by_id(ANN.id) == ANN
    assert await accounts.devices(ANN.id) == {"device"}


async def test_a_registered_account_and_one_without_a_device(accounts: Accounts) -> None:
    member = c.Account(AccountId("m"), "member", "Mem “Ber” 👩‍🚀", guest=False)
    await accounts.create(member, TOKEN, "", NOW, LATER)
    assert await accounts.by_id(member.id) == member and await accounts.devices(member.id) == set()


@pytest.mark.parametrize("name", ["nobody", "", "\0", "a\0", "\udfff", "ann' OR 1=1 --"])
async def test_an_unknown_or_impossible_id(accounts: Accounts, name: str) -> None:
    await accounts.create(ANN, TOKEN, "device", NOW, LATER)
    assert await accounts.by_id(AccountId(name)) is None and await accounts.devices(AccountId(name)) == set()
    assert await accounts.by_token(OTHER, NOW) is None


@pytest.mark.parametrize("taken", ["id", "handle", "token"])
async def test_what_is_taken_makes_nothing(accounts: Accounts, taken: str) -> None:
    await accounts.create(ANN, TOKEN, "device", NOW, LATER)
    rival = c.Account(ANN.id if taken == "id" else AccountId("rival"), ANN.handle if taken == "handle" else "rival", "Rival", guest=True)
    with pytest.raises(Conflict):
        await accounts.create(rival, TOKEN if taken == "token" else OTHER, "rivals", NOW, LATER)
    assert await accounts.by_token(OTHER, NOW) is None and await accounts.by_id(AccountId("rival")) is None
    assert await accounts.by_id(ANN.id) == ANN and await accounts.devices(ANN.id) == {"device"}


async def test_a_session_expires_and_ends(accounts: Accounts) -> None:
    await accounts.create(ANN, TOKEN, "", NOW, LATER)
    await accounts.create(HOST, OTHER, "", NOW, LATER)
    assert await accounts.by_token(TOKEN, LATER - timedelta(microseconds=1)) == ANN
    assert await accounts.by_token(TOKEN, LATER) is None
    await accounts.end_session(TOKEN)
    await accounts.end_session(TOKEN)
    assert await accounts.by_token(TOKEN, NOW) is None and await accounts.by_token(OTHER, NOW) == HOST
    assert await accounts.by_id(ANN.id) == ANN, "the account outlives its session"


async def test_purging_deletes_what_has_expired_and_no_more(ports: Ports) -> None:
    space = SpaceId("s1")
    await ports.accounts.create(ANN, TOKEN, "device", NOW, NOW + timedelta(hours=1))
    await ports.accounts.create(HOST, OTHER, "", NOW, LATER)
    await ports.spaces.append(space, Seq(0), [entry(1)], card("s1"), None)
    await ports.spaces.append(space, Seq(1), [], None, Answer("k", "b", Seq(2), Seq(1)))
    assert await ports.accounts.purge(NOW + timedelta(minutes=59)) == 0
    assert await ports.accounts.purge(NOW + timedelta(hours=1)) == 1
    assert len(await ports.spaces.answers(space)) == 1
    assert await ports.accounts.purge(NOW + timedelta(hours=24)) == 1
    assert await ports.spaces.answers(space) == []
    assert await ports.accounts.by_token(TOKEN, NOW) is None and await ports.accounts.by_token(OTHER, NOW) == HOST
    assert await ports.accounts.devices(ANN.id) == {"device"}, "a ban must find the device after the session"
