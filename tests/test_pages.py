"""The code in README.md and docs/*.md works: it runs, or at least every option in it exists."""

import pytest

from tests import pages

ALL = [block for page in pages.PAGES for block in pages.blocks(page)]
WITH_RUNS = [
    page for page in pages.PAGES if any(b.mark.startswith("run") for b in pages.blocks(page))
]
LANGUAGES = ("sh", "output", "text", "python", "toml", "json", "jsonl")


@pytest.mark.parametrize("block", ALL, ids=str)
def test_a_block_can_be_parsed(block):
    pages.check(block)


@pytest.mark.parametrize("page", WITH_RUNS, ids=lambda page: page.name)
def test_a_page_prints_what_it_shows(page):
    for block, printed, shown in pages.runs(page):
        if shown is not None:
            assert pages.steady(printed) == pages.steady(shown.text), str(block)


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_RUNS, ids=lambda page: page.name)
def test_the_slow_blocks_of_a_page_run(page):
    for _ in pages.runs(page, slow=True):
        pass


def test_every_block_has_a_known_language_and_mark():
    for block in ALL:
        assert block.language in LANGUAGES, f"{block}: {block.language or 'no language'}"
        kind = block.mark.partition(":")[0]
        assert kind in ("", "run", "file", "needs", "free"), f"{block}: {block.mark}"


@pytest.mark.parametrize(
    "shell",
    [
        "swr1 gen-puzzles --no-such-option 3",
        "swr1 no-such-command",
        "cat x | swr1 verify format | swr1 reward logic-rl --wrong",
        'swr1 solve --text "$(swr1 load kk --wrong)"',
        "torchrun --nproc-per-node 2 -m swr1 train-step grpo --wrong",
        "swr1 verify fromat knights rollouts.jsonl",
        "swr1 verify format judged.jsonl | swr1 reward logic-lr",
        "swr1 train-step gpro rewarded.jsonl --policy runs/kk",
    ],
)
def test_an_option_that_does_not_exist_is_found(shell):
    found = list(pages.commands(shell))
    with pytest.raises(Exception, match=r"(?i)no such|no subcommand|unknown"):
        list(map(pages.parse, found))


def test_a_name_that_swr1_does_not_have_is_found():
    with pytest.raises(ImportError):
        pages.check_python("from swr1.records import no_such_name")
