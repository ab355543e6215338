"""The options of a command are fields of a dataclass: help, defaults, aliases, what was given."""

import sys
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from swr1.commands._config import CONFIG
from swr1.commands._help import as_click
from swr1.commands._options import AnyOf, Given, with_options
from swr1.errors import UsageError
from swr1.options import option, options_of


def _number(text: str) -> int:
    if not text.isdigit():
        raise UsageError(f"a number, not {text!r}")
    return int(text)


@dataclass(kw_only=True)
class Drawing:
    """Fields without `option` are no options."""

    temperature: float = option(1.0, "0 is greedy.", panel="Sampling", usual=True, min=0)
    stop: tuple[str, ...] = option((), "End a completion at this text.")
    drop_zero_variance: bool = option(False, "Leave out.", aliases=("--drop-dead",))
    resume: bool = option(True, "Continue.")
    whiten: bool = option(False, "Both ways.", negatable=True)
    speed: int | None = option(None, "Read by a function.", parse=_number, metavar="N")
    sharded: bool = option(False, "Another name.", "--fsdp")
    log: Any = print


@dataclass(kw_only=True)
class Few:
    LABEL = "few"
    batch: int = option(8, "Items.")
    lr: float | None = option(None, "Rate.")


@dataclass(kw_only=True)
class Many(Few):
    LABEL = "many"
    batch: int = option(32, "Items.")
    more: str = option(..., "Required, but only of this one.")


seen: dict[str, Any] = {}


@with_options
def one(drawing: Drawing, given: Given, config: CONFIG = None):
    """Help of one."""
    seen.update(drawing=drawing, given=given)


@with_options
def several(values: Annotated[dict[str, Any], AnyOf(Few, Many)]):
    """Help of several."""
    seen.update(values=values)


def run(function, *args):
    seen.clear()
    as_click("cmd", function).main(list(args), prog_name="swr1 cmd", standalone_mode=False)
    return seen


def test_a_dataclass_becomes_options_and_comes_back_as_an_instance():
    assert run(one)["drawing"] == Drawing() and seen["given"] == set()
    run(one, "--temperature", "1", "--stop", "a", "--stop", "b", "--speed", "3", "--fsdp")
    assert seen["drawing"] == Drawing(stop=("a", "b"), speed=3, sharded=True)
    assert seen["given"] == {"temperature", "stop", "speed", "sharded"}  # also at its default
    assert not run(one, "--no-resume")["drawing"].resume
    assert run(one, "--no-whiten")["given"] == {"whiten"}


def test_values_are_checked_by_type_range_and_parser():
    for words in (["--temperature", "x"], ["--temperature", "-1"], ["--log", "x"]):
        with pytest.raises(Exception, match=r"number|range|greater|No such option"):
            run(one, *words)
    with pytest.raises(UsageError, match="a number, not 'x'"):
        run(one, "--speed", "x")


def test_of_several_dataclasses_the_command_gets_what_was_given():
    assert run(several)["values"] == {}
    assert run(several, "--batch", "8")["values"] == {"batch": 8}


def test_the_default_of_each_is_in_the_help(capsys):
    run(several, "--help")
    assert "[default: 8; many: 32]" in " ".join(capsys.readouterr().out.split())


def test_help_shows_the_usual_options_and_help_all_all_of_them(capsys):
    run(one, "--help")
    text = capsys.readouterr().out
    assert "--temperature" in text and "--stop" not in text
    assert "--help-all shows 7 more" in text
    run(one, "--help-all")
    text = capsys.readouterr().out
    assert all(word in text for word in ("--temperature", "--stop", "--fsdp", "--no-whiten"))
    assert "--drop-dead" not in text and "--no-fsdp" not in text
    run(several, "--help")  # none of its options is usual, so all are shown
    text = capsys.readouterr().out
    assert "--batch" in text and "--help-all" not in text


def test_an_earlier_name_works_and_says_so(capsys, tmp_path):
    assert run(one, "--drop-dead")["drawing"].drop_zero_variance
    assert capsys.readouterr().err == "swr1 cmd: --drop-dead is now --drop-zero-variance\n"
    assert seen["given"] == {"drop_zero_variance"}
    file = tmp_path / "c.toml"
    file.write_text('drop-dead = true\nfsdp = true\nstop = ["x"]\nspeed = "4"\n')
    run(one, "--config", str(file))
    assert seen["drawing"] == Drawing(drop_zero_variance=True, sharded=True, stop=("x",), speed=4)
    assert seen["given"] == {"drop_zero_variance", "sharded", "stop", "speed", "config"}
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"swr1 cmd: drop-dead in {file} is now --drop-zero-variance"


def test_a_wrong_flag_is_told_the_nearest_also_of_those_not_shown():
    with pytest.raises(Exception, match="drop-zero-varianc"):
        run(one, "--drop-zero-variances")


def test_fields_are_read_without_the_command_line():
    assert [*options_of(Drawing)][:2] == ["temperature", "stop"]
    assert "typer" not in vars(sys.modules["swr1.options"])
