"""The command line: what it names and what it answers to what it does not."""

import pytest

from rostra import __version__, cli


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"rostra {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["sing"], ["serve", "--loud"]])
def test_what_it_does_not_know_is_a_usage_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert left.value.code == 2
    assert "usage: rostra" in capsys.readouterr().err


def test_serve_answers_for_its_own_settings(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROSTRA_GUESTS", "perhaps")
    assert cli.main(["serve"]) == 2
    assert capfd.readouterr().err == "rostra: ROSTRA_GUESTS='perhaps' is not valid: it must be on or off\n"
