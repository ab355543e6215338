"""Random recipes, random records: the ranges that an order is checked against are true, and tight."""

from hypothesis import given, settings
from hypothesis import strategies as st

from swr1.errors import DataError, UsageError
from swr1.rewards import load_recipe
from swr1.rewards.ordering import survey

SAFETY = ["safe", "needless-refusal", "controversial", "unsafe"]
NUMBER = st.sampled_from([-2.0, -1.0, -0.3, 0.1, 0.5, 1.0, 3.0])
SHARE = st.sampled_from([0.0, 0.2, 0.5, 0.8, 1.0])


def listed(values):
    return "[" + ", ".join(f'"{v}"' for v in values) + "]"


@st.composite
def asked(draw):
    kind = draw(st.sampled_from(["label", "below", "at-least", "equal", "info", "level"]))
    if kind == "label":
        chosen = draw(st.lists(st.sampled_from(SAFETY), min_size=1, max_size=3, unique=True))
        return f"safety.label{draw(st.sampled_from(['', '.not']))} = {listed(chosen)}"
    if kind == "info":
        return f"info.harmful{draw(st.sampled_from(['', '.not']))} = true"
    if kind == "level":
        return f"info.level.{draw(st.sampled_from(['below', 'at-least']))} = 3"
    verdict = draw(st.sampled_from(["safety", "value", "language"]))
    suffix = "" if kind == "equal" else f".{kind}"
    return f"{verdict}.score{suffix} = {draw(SHARE)}"


@st.composite
def whens(draw):
    ways = draw(
        st.lists(st.lists(asked(), min_size=1, max_size=2, unique_by=lambda t: t[:9]), max_size=2)
    )
    if not ways:
        return ""
    return "when = [" + ", ".join("{ " + ", ".join(way) + " }" for way in ways) + "]\n"


@st.composite
def ways(draw, name):
    text = f"[[part.{name}]]\n{draw(whens())}weight = {draw(NUMBER)}\n"
    kind = draw(st.sampled_from(["score", "clipped", "label", "value", "flag"]))
    if kind == "value":
        return text + f"value = {draw(NUMBER)}\n"
    if kind == "flag":
        return text + f"flag = {{ {draw(asked())} }}\n"
    null = draw(st.sampled_from(["", 'null = "skip"\n', "null = -5\n"]))
    if kind == "label":
        mapped = ", ".join(f"{label} = {draw(NUMBER)}" for label in SAFETY)
        return text + null + f'from = "safety.label"\nmap = {{ {mapped} }}\n'
    if kind == "clipped":
        low = draw(NUMBER)
        clip = f"clip = [{low}, {low + 1}]\nmean = {draw(SHARE)}\nscale = {draw(NUMBER)}\n"
        return text + null + f'from = "helpful.score"\n{clip}'
    verdict = draw(st.sampled_from(["safety", "value", "language", "repetition"]))
    return text + null + f'from = "{verdict}.score"\nscale = {draw(NUMBER)}\n'


@st.composite
def recipes(draw):
    text = "[part.fixed]\nvalue = 0.25\n"
    for name in "abc"[: draw(st.integers(1, 3))]:
        text += "".join(draw(st.lists(ways(name), min_size=1, max_size=2)))
    for number in range(draw(st.integers(0, 2))):
        kind = draw(st.sampled_from(["total", "cap", "floor"]))
        text += f'[[gate]]\nname = "g{number}"\n{draw(whens())}{kind} = {draw(NUMBER)}\n'
    return text + "[outcome.any]\nwhen = {}\n"


def judged(draw):
    null = {"score": None, "label": None, "error": "down"}
    verdicts = {
        "safety": {"label": draw(st.sampled_from(SAFETY)), "score": draw(st.floats(0, 1))},
        "value": {"label": "good", "score": draw(st.one_of(SHARE, st.floats(0, 1)))},
        "language": {"label": "ok", "score": draw(st.one_of(SHARE, st.floats(0, 1)))},
        "repetition": {"label": "ok", "score": draw(st.floats(0, 1))},
        "helpful": {"label": None, "score": draw(st.floats(-30, 30))},
    }
    for name in draw(st.lists(st.sampled_from(sorted(verdicts)), max_size=1)):
        verdicts[name] = null
    info = draw(
        st.sampled_from([{}, {"harmful": True}, {"harmful": False, "level": 3}, {"level": 2}])
    )
    return {"id": "x", "info": info, "verdicts": verdicts}


@given(text=recipes(), data=st.data())
@settings(max_examples=20, deadline=None)
def test_no_total_is_outside_the_range(tmp_path_factory, text, data):
    path = tmp_path_factory.getbasetemp() / "random.toml"
    path.write_text(text)
    recipe = load_recipe(str(path))
    try:
        ranges = survey(recipe)
    except UsageError:
        return  # a part that nothing comes to, and the like
    for _ in range(5):
        record = judged(data.draw)
        try:
            breakdown = recipe.evaluate(record)
        except DataError:
            continue
        if breakdown.total is None or breakdown.ended_by():
            continue
        assert ranges["any"].low - 1e-6 <= breakdown.total <= ranges["any"].high + 1e-6
    for total, record in ((ranges["any"].low, "poorest"), (ranges["any"].high, "richest")):
        assert recipe.evaluate(getattr(ranges["any"], record)).total == total
