"""Whatever a verifier returns becomes a verdict in one way, or a null verdict that says why."""

import numpy as np
import orjson
import pytest

from swr1.errors import DataError
from swr1.verifiers.running import open_verifiers
from swr1.verifiers.verdicts import as_verdict
from tests.conftest import jsonl, run_swr1

RECORD = {"id": "a", "task": "t", "prompt": [{"role": "user", "content": "?"}], "completion": "abc"}
LABELS = 'LABELS = {"ok": 1, "fair": (0.2, 0.9), "long": 0}\n'


@pytest.fixture(name="name")
def verifier_with_labels(tmp_path):
    (tmp_path / "mine.py").write_text(f"{LABELS}def short(record): ...\n")
    return f"{tmp_path}/mine.py:short"


@pytest.mark.parametrize(
    ("given", "score", "label"),
    [
        (True, 1.0, "ok"),
        (False, 0.0, "long"),
        (1, 1.0, "ok"),
        (0.5, 0.5, "fair"),
        (np.float32(1), 1.0, "ok"),
        ({"score": 0}, 0.0, "long"),
        ({"score": True, "label": "ok"}, 1.0, "ok"),
        ({"score": 0.9, "label": "fair", "confidence": 0.3}, 0.9, "fair"),
    ],
)
def test_what_may_be_returned(name, given, score, label):
    verdict = as_verdict(given, name)
    assert (verdict["score"], verdict["label"]) == (score, label)
    assert type(verdict["score"]) is float
    assert verdict["by"] == name and "error" not in verdict
    assert set(given if isinstance(given, dict) else ()) <= verdict.keys()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("yes", "it gave 'yes', which is no number"),
        ({"label": "ok"}, "which is no verdict: it has no score"),
        ({"score": float("nan"), "label": "ok"}, "it gave nan, which is no number to go by"),
        ({"score": "1", "label": "ok"}, "it gave '1', which is no number"),
        ({"score": 1, "label": 1}, "a label that is no text: 1"),
        ({"score": 1, "label": "lng"}, "the label 'lng', which is not in its LABELS (ok, fair, long)"),
        ({"score": 0.5, "label": "ok"}, "the score 0.5 with the label 'ok', for which its LABELS have 1 to 1"),
        ({"score": 1, "label": None}, "the label None, which is not in its LABELS"),
        (0.1, "0.1 and no label, and its LABELS have not just one for this score"),
        ([1, 2], "it gave [1, 2], which is no number"),
    ],
)  # fmt: skip
def test_what_may_not(name, given, reason):
    verdict = as_verdict(given, name)
    assert verdict["score"] is None and verdict["label"] is None
    assert reason in verdict["error"]
    assert f'; {name} may give True or False, a number, {{"score": ...' in verdict["error"]


def test_a_label_with_this_very_score_comes_first(tmp_path):
    (tmp_path / "near.py").write_text('LABELS = {"right": 1, "near": (0, 1)}\ndef f(record): ...\n')
    name = f"{tmp_path}/near.py:f"
    assert as_verdict(1, name)["label"] == "right"
    assert as_verdict(0.5, name)["label"] == "near"


def test_null_is_always_possible(name):
    assert as_verdict(None, name)["error"] == "the verifier returned None"
    own = {"score": None, "label": None, "error": "no idea"}
    assert as_verdict(own, name)["error"] == "no idea"
    assert as_verdict({"score": None}, name)["error"] == "it says nothing"
    assert as_verdict({"score": None, "label": "unread"}, name)["label"] == "unread"


def test_what_was_raised(name):
    assert as_verdict(KeyError("x"), name)["error"].startswith("KeyError: 'x'")
    with pytest.raises(DataError):
        as_verdict(DataError("bad record"), name)


def test_without_labels_a_number_is_its_own_label(tmp_path):
    assert as_verdict(True, "./nothing.py:f")["label"] == "1"
    assert as_verdict(0.25, "./nothing.py:f")["label"] == "0.25"
    assert as_verdict({"score": 3, "label": "any"}, "./nothing.py:f")["score"] == 3.0


# --- one conversion for files, entry points, and files in the folder ------------------------------

TRIES = {  # what a stranger tries first, and what is said of it
    "def short(record): return len(record['completion']) < 9": None,
    "def short(record): return {'score': 1.0}": None,
    "def short(record): return 'yes'": "it gave 'yes', which is no number; ",
    "def short(record): return record['nothing']": "KeyError: 'nothing' (",
}


@pytest.fixture(name="plugin")
def installed_plugin(tmp_path, monkeypatch):
    """A way to install a verifier: as an entry point, in the folder, or as a file."""

    def install(text: str, how: str) -> str:
        if how == "file":
            (tmp_path / "mine.py").write_text(text)
            return f"{tmp_path}/mine.py:short"
        if how == "folder":
            from swr1.verifiers import builtin

            folder = tmp_path / "more"
            folder.mkdir()
            (folder / "word_limit.py").write_text(text.replace("def short", "def verify"))
            folders = [*builtin.__path__, str(folder)]
            monkeypatch.setattr(builtin, "__path__", folders)
            monkeypatch.setattr(builtin.__spec__, "submodule_search_locations", folders)
        else:
            (tmp_path / "stranger.py").write_text(text)
            info = tmp_path / "stranger-1.dist-info"
            info.mkdir()
            (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1\n")
            (info / "entry_points.txt").write_text(
                "[swr1.verifiers]\nword-limit = stranger:short\n"
            )
            monkeypatch.syspath_prepend(tmp_path)
        from swr1.verifiers import declared

        monkeypatch.delitem(declared.REGISTRY.__dict__, "_targets", raising=False)
        monkeypatch.delitem(declared.REGISTRY.__dict__, "_built_in", raising=False)
        declared.declaration.cache_clear()
        return "word-limit"

    yield install
    import sys

    from swr1.verifiers import declared
    from swr1.verifiers.verdicts import _vocabulary

    declared.REGISTRY.__dict__.pop("_targets", None)
    declared.REGISTRY.__dict__.pop("_built_in", None)
    declared.declaration.cache_clear()
    _vocabulary.cache_clear()
    sys.modules.pop("swr1.verifiers.builtin.word_limit", None)
    sys.modules.pop("stranger", None)


@pytest.mark.parametrize("how", ["file", "entry point", "folder"])
@pytest.mark.parametrize("text", TRIES)
def test_the_first_tries_of_a_stranger(plugin, text, how):
    name = plugin(text + "\n", how)
    with open_verifiers([name]) as verifiers:
        [verdict] = verifiers(RECORD).values()
    if TRIES[text] is None:
        assert verdict["score"] == 1.0 and verdict["label"]
    else:
        assert verdict["score"] is None and TRIES[text] in verdict["error"]


@pytest.mark.parametrize("how", ["entry point", "folder"])
def test_a_plugin_can_be_used_in_a_recipe(plugin, how, tmp_path):
    from swr1.rewards import checked, load_recipe

    name = plugin(f"{LABELS}def short(record): return True\n", how)
    recipe = tmp_path / "mine.toml"
    recipe.write_text('[part.length]\nfrom = "word-limit.score"\n')
    with open_verifiers([name]) as verifiers:
        record = RECORD | {"verdicts": verifiers(RECORD)}
    assert checked(load_recipe(str(recipe)))(record)["reward"] == 1.0


def test_a_file_in_the_folder_without_the_function(plugin, tmp_path):
    from swr1.errors import UsageError

    name = plugin("def word_limit(record): return True\n", "folder")
    with pytest.raises(
        UsageError, match=r"word_limit.py has no 'verify': the verifier 'word-limit'"
    ):
        open_verifiers([name]).__enter__()


def test_a_stage_says_what_is_wrong_once(tmp_path):
    (tmp_path / "mine.py").write_text("def short(record): return 'yes'\n")
    done = run_swr1(
        "verify", "./mine.py:short", stdin=jsonl([RECORD | {"id": n} for n in "abc"]), cwd=tmp_path
    )
    assert done.returncode == 0 and "Traceback" not in done.stderr
    said = "short: 3 without a verdict: it gave 'yes', which is no number; ./mine.py:short may give"
    assert said in " ".join(done.stderr.split())
    assert all(
        r["verdicts"]["short"]["score"] is None for r in map(orjson.loads, done.stdout.splitlines())
    )
