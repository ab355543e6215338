"""Options are fields: what a field says is what the command line gets."""

from dataclasses import dataclass

from swr1.options import default_of, flag_of, option, options_of


@dataclass(kw_only=True)
class First:
    batch: int = option(8, "Prompts.", usual=True)
    people: str = option(..., "How many.", "--people", "-p")
    note: str = ""


@dataclass(kw_only=True)
class Second:
    batch: int = option(32, "Items.")
    names: tuple = option(["a"], "Names.")


def test_of_several_dataclasses_the_first_declaration_of_a_name_counts():
    found = options_of(First, Second)
    assert [*found] == ["batch", "people", "names"]
    assert default_of(found["batch"]) == 8
    assert default_of(options_of(Second, First)["batch"]) == 32


def test_a_flag_is_the_name_unless_the_field_gives_another_and_no_default_is_shared():
    found = options_of(First, Second)
    assert [flag_of(n, f) for n, f in found.items()] == ["--batch", "--people", "--names"]
    assert default_of(found["people"]) is ...
    assert Second().names is not Second().names
