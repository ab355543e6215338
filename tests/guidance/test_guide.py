"""What a guide says, and what it makes of scores."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swr1.errors import UsageError
from swr1.guidance.guide import NEUTRAL, guide_names, load_guide
from swr1.guidance.options import METHODS, GuideOptions
from swr1.guidance.scoring import read

TWO = """
[score.right]
verifier = "steps"
read = "{read}"
[score.safe]
verifier = "safety"
[[route]]
when = {{ task = "safety", "verdicts.safety.label" = ["unsafe", "controversial"] }}
weights = {{ safe = 3, right = 1 }}
[[route]]
weights = {{ right = 1 }}
[floor]
safe = 0.4
"""


@pytest.fixture
def guide(tmp_path):
    file = tmp_path / "two.toml"
    file.write_text(TWO.format(read="mean"))
    return load_guide(str(file))


def test_the_first_route_that_holds_gives_the_weights(guide):
    unsafe = {"task": "safety", "verdicts": {"safety": {"label": "unsafe"}}}
    assert guide.weights(unsafe) == {"safe": 3, "right": 1}
    assert guide.weights({"task": "safety"}) == {"right": 1}


scores = st.one_of(st.none(), st.floats(0, 1))


@given(scores, scores)
def test_a_null_gives_its_weight_to_the_others(right, safe):
    guide = load_guide("steps")
    weights = {"right": 1.0, "safe": 3.0}
    got = guide.score({"right": right, "safe": safe}, weights)
    if right is None and safe is None:
        assert got == NEUTRAL
    elif right is None:
        assert got == pytest.approx(safe)
    elif safe is None:
        assert got == pytest.approx(right)
    else:
        assert got == pytest.approx((right + 3 * safe) / 4)


def test_the_floor_is_for_what_is_known(guide):
    assert guide.is_out({"safe": 0.39, "right": 1.0})
    assert not guide.is_out({"safe": 0.4, "right": 0.0})
    assert not guide.is_out({"safe": None, "right": 0.0})


@pytest.mark.parametrize(
    ("how", "value"), [("last", None), ("mean", 0.5), ("min", 0.0), ("score", 0.25)]
)
def test_what_is_read_of_a_verdict(tmp_path, how, value):
    file = tmp_path / "g.toml"
    file.write_text(TWO.format(read=how))
    dimension = load_guide(str(file)).dimensions[0]
    labels = ["right", "wrong", "right", "wrong", "unread"]
    steps = [{"label": label} for label in labels]
    assert read({"score": 0.25, "detail": {"steps": steps}}, dimension) == value
    scored = [{"label": "right", "score": 0.9}, {"label": "wrong", "score": 0.2}]
    expected = {"last": 0.2, "mean": 0.55, "min": 0.2, "score": 0.25}[how]
    assert read({"score": 0.25, "detail": {"steps": scored}}, dimension) == pytest.approx(expected)
    for detail in ("no", {"steps": 3}, {"steps": [{}]}, {"steps": [{"score": "x"}]}):
        assert how == "score" or read({"score": 0.25, "detail": detail}, dimension) is None
    nan = {"score": float("nan"), "label": "right"}
    assert read(nan | {"detail": {"steps": [nan]}}, dimension) is None


@pytest.mark.parametrize("name", guide_names())
def test_guides_of_the_package_name_verifiers_that_are(name):
    from swr1.verifiers.declared import REGISTRY

    guide = load_guide(name)
    assert all(d.verifier in REGISTRY.names() for d in guide.dimensions)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[score.a]\nverifer = 'steps'", "[score.a] needs `verifier`"),
        ("[score.a]\nverifier = 'steps'\nread = 'max'", "read is score, last, mean, min"),
        ("[score.a]\nverifier = 'steps'\n[floor]\nb = 1", "names 'b', which is no [score.NAME]"),
        ("[score.a]\nverifier = 'steps'\n[[route]]\nweights = {a = -1}", "a number of at least 0"),
        ("[scores]", "it has no 'scores'. Did you mean 'score'"),
        ("rule = 'line'", "a table [score.NAME]"),
        ("[score", "the guide"),
        ("x = " + "[" * 20000, "nested too deep"),
        ("rule = 5\n[score.a]\nverifier = 'steps'", "`rule` says what ends a step"),
        ("[score.a]\nverifier = 'steps'\nsettings = 'a=b'", "settings are a list of texts"),
        ("[score.a]\nverifier = 'steps'\nsettings = 5", "settings are a list of texts"),
        ("[score.a]\nverifier = 'steps'\nmodel = 'x'", "model is a table of texts"),
        ("[score.a]\nverifier = 'steps'\nmodel = {guard = 3}", "model is a table of texts"),
        ("[score.a]\nverifier = 'steps'\n[route]\nweights = {a = 1}", "a route is [[route]]"),
        ("route = 5\n[score.a]\nverifier = 'steps'", "a route is [[route]]"),
        ("[score.a]\nverifier = 'steps'\n[[route]]\nwhen = 3", "a route is [[route]]"),
        ("[score.a]\nverifier = 'steps'\n[[route]]\nweights = {a = inf}", "at least 0"),
        ("[score.a]\nverifier = 'steps'\n[floor]\na = 2", "[floor] is from 0 to 1"),
    ],
)
def test_what_is_no_guide_is_refused(tmp_path, text, says):
    file = tmp_path / "g.toml"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        load_guide(str(file))
    assert says in str(caught.value)


def test_every_method_has_as_many_candidates_as_were_asked_for():
    for method in METHODS:
        trees, keep, each = GuideOptions(
            guide="steps", guide_method=method, candidates=6, width=3
        ).shape()
        assert trees * keep * each == 6, method


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"guide_method": "beam"}, "--guide is missing"),
        ({"candidates": 8}, "--guide is missing"),
        ({"guide": "steps", "guide_method": "beam", "candidates": 5}, "multiple of --width 2"),
        ({"guide": "steps", "guide_method": "mcts"}, "mcts"),
        ({"guide": "steps", "keep_candidates": "all"}, "all"),
    ],
)
def test_options_that_do_not_go_together(options, says):
    with pytest.raises(UsageError, match=says):
        GuideOptions(**options).check()
