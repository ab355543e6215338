r"""Ticks, yes and no, tables of ticks, booleans, arrows and reasons, as answers hold them.

In every form K and V are the roles of Zoey and of the others; each is read with both pairs of words,
and with the roles exchanged it must never count as right.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swr1.verifiers.builtin.knights import verify

RIGHT = [["Zoey", "knight"], ["Oliver", "knave"], ["Ava", "knave"]]


def judge(text, answer=RIGHT):
    verdict = verify({"id": "x", "completion": f"<answer>{text}</answer>", "answer": answer})
    return verdict["detail"]["reason"] or verdict["label"]


NOES = """no No NO nope false False ✗ ❌ × 0 0% 0.0 not n F N x (x) 否 [_] ☐ negative wrong untrue incorrect
never impossible null none not_true no_way **no** `no` \\times \\ding{55} 👎 denied hardly barely fake former""".split()
DENIED = [
    "{}: knight: {}", "{} is a knight: {}", "{}: knight = {}", "{}: knight ({})", "{} knight {}",
    "{} is a knight, {}", "{} = knight -> {}", "{} is a knight - {}", "knight({}) = {}",
    "{} is a knight? {}", "{}: is_knight: {}", "| {} | knight | {} |", "{}是骑士：{}",
    '{{"{}": {{"knight": {}}}}}', 
]  # fmt: skip


@pytest.mark.parametrize("no", NOES)
@pytest.mark.parametrize("form", DENIED)
def test_a_role_that_is_denied_is_never_the_one_that_was_said(form, no):
    for joint in ("\n", "; ", ", "):
        said = joint.join(form.format(name, no.replace("_", " ")) for name in ("Zoey", "Oliver"))
        assert judge(said, [["Zoey", "knight"], ["Oliver", "knight"]]) != "correct"
        said = said.replace("knight", "knave").replace("骑士", "无赖")
        assert judge(said, [["Zoey", "knave"], ["Oliver", "knave"]]) != "correct"


OTHER_NOES = [
    ("Zoey is a knight — no, a knave", [["Zoey", "knave"]], "negated"),
    ("Zoey is a knight. No.", [["Zoey", "knight"]], "negated"),
    ("Zoey: knight\nFalse", [["Zoey", "knight"]], "negated"),
    ("- [ ] Zoey is a knight", [["Zoey", "knight"]], "wrong"),
    ("Zoey: knight 50%", [["Zoey", "knight"]], "hedge"),
    ("Zoey: knight (0.7)", [["Zoey", "knight"]], "hedge"),
    ("Zoey: knight 100%", [["Zoey", "knight"]], "correct"),
    ("Zoey: ~~knight~~ knave", [["Zoey", "knight"]], "wrong"),
    ("Zoey: ~~knight~~", [["Zoey", "knight"]], "missing"),
    ("Zoey: \\lnot knight", [["Zoey", "knight"]], "wrong"),
    ("Knight:\n- Zoey: yes\n- Ava: no", [["Zoey", "knight"], ["Ava", "knight"]], "wrong"),
    ("Zoey: knave ✗", [["Zoey", "knave"]], "unclear"),  # a liar, or no liar?
    ("Zoey: knave ✗", [["Zoey", "knight"]], "unclear"),
    ("Zoey: knight ✗, Ava: knave ✗", [["Zoey", "knight"], ["Ava", "knave"]], "unclear"),
    ("Zoey: knight (yes), Ava: knave (no)", [["Zoey", "knight"], ["Ava", "knave"]], "unclear"),
    ("Zoey是否是骑士", [["Zoey", "knight"]], "question"),
    ("Zoey is a knight (statement false)", [["Zoey", "knight"]], "unclear"),
    ("Zoey is a knight, no doubt", [["Zoey", "knight"]], "correct"),
    ("(0) Zoey is a knight\n(1) Ava is a knave", [["Zoey", "knight"], ["Ava", "knave"]], "correct"),
    ("Knights: 1, knaves: 0. Zoey is a knight.", [["Zoey", "knight"]], "correct"),
    ("| Name | Knight | Knave |\n| Zoey | no | no |", [["Zoey", "knave"]], "unclear"),
    ("| Name | Knight | Knave |\n| Zoey | ✓ | ✓ |", [["Zoey", "knave"]], "unclear"),
    ("| Name | Knight | Knave |\n| Zoey | ✓ | |\n| Bob | | ✓ |", [["Zoey", "knight"]], "stranger"),
    ("| Name | Knight | Knave |\n| Zoey | ✓ | |\n| Ava | | |", [["Zoey", "knight"], ["Ava", "knave"]], "unclear"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "answer", "expected"), OTHER_NOES)
def test_other_ways_to_say_no(text, answer, expected):
    assert judge(text, answer) == expected


BOTH = {
    "arrows": [
        r"Zoey $\rightarrow$ K" "\n" r"Oliver $\rightarrow$ V" "\n" r"Ava $\rightarrow$ V",
        r"Zoey \Longrightarrow K, Oliver \implies V, Ava \mapsto V",
        r"\textit{Zoey} \equiv \textit{K} \newline Oliver \colon V \\ Ava := V",
        r"Zoey \; : \; K, Oliver \leadsto V, Ava \xrightarrow{} V",
        "Zoey ↦ K\nOliver ⟶ V\nAva ==> V",
        r"\begin{cases} {\bf Zoey}: K \\ {\rm Oliver}: V \\ \large Ava: V \end{cases}",
    ],
    "ticks": [
        "Zoey: K ✓\nOliver: V ✗\nAva: V ✗",
        "✅ Zoey: K\n❌ Oliver: V\n❌ Ava: V",
        "Zoey: K ✅\nOliver: V ✅\nAva: V ✔️",
        "Zoey – ✓ K\nOliver – ✗ V\nAva – ✗ V",
        "Zoey: K (true)\nOliver: V (false)\nAva: V (false)",
        "✅ **K**\n- Zoey\n\n❌ **V**\n- Oliver\n- Ava",
        "Zoey: [x] K [ ] V\nOliver: [ ] K [x] V\nAva: [ ] K [x] V",
        "Zoey: K ✓ V ✗\nOliver: K ✗ V ✓\nAva: K ✗ V ✓",
        "- [x] Zoey is K\n- [ ] Zoey is V\n- [x] Oliver is V\n- [x] Ava is V",
        r"Zoey: K \checkmark, Oliver: V \times, Ava: V \times",
        "Zoey: K, tells the truth\nOliver: V, makes false statements\nAva: V, told lies",
        "Zoey is K (statement true). Oliver is V (his statement is false). Ava is V (false claim).",
    ],
    "tables": [
        "| Name | K | V |\n|---|:-:|--:|\n| Zoey | ✅ | ❌ |\n| Oliver | ❌ | ✅ |\n| Ava | ❌ | ✅ |",
        "| # | Who | K | V | Why |\n|---|---|---|---|---|\n| 1 | Zoey | X | | it fits |\n| 2 | Oliver | | X | |\n| 3 | Ava | | X | lies |",
        "Name | K | V\n--- | --- | ---\nZoey | yes | \nOliver | - | yes\nAva | no | yes",
        "| | Zoey | Oliver | Ava |\n|---|---|---|---|\n| K | ✓ | | |\n| V | | ✓ | ✓ |",
        "| Name | V? |\n|---|---|\n| Zoey | No |\n| Oliver | Yes |\n| Ava | 1 |",
        "| K | V |\n|---|---|\n| Zoey | Oliver |\n| — | Ava |",
        "So:\n\n| **K** | **V** |\n|---|---|\n| Zoey | Oliver and Ava |\n\nThat is all.",
        "Name\tK\tV\nZoey\t1\t0\nOliver\t0\t1\nAva\t0\t1",
        r"\begin{tabular}{|c|c|c|} \hline Name & K & V \\ \hline Zoey & \checkmark & \\ Oliver & & \checkmark \\ Ava & & \checkmark \\ \hline \end{tabular}",
        "<table><tr><th>Name</th><th>K</th><th>V</th></tr><tr><td>Zoey</td><td>✓</td><td></td></tr>"
        "<tr><td>Oliver</td><td></td><td>✓</td></tr><tr><td>Ava</td><td></td><td>✓</td></tr></table>",
    ],
    "booleans": [
        '{"Zoey": {"K": true, "V": false}, "Oliver": {"K": false, "V": true}, "Ava": {"K": false, "V": true}}',
        '{\n "Zoey": {\n "K": true,\n "V": false\n },\n "Oliver": {\n "K": false,\n "V": true\n },\n "Ava": {\n "V": true\n }\n}',
        '[{"name":"Zoey","K":true},{"name":"Oliver","K":false},{"name":"Ava","K":false}]',
        '{"K": {"Zoey": true, "Oliver": false, "Ava": false}}',
        "K(Zoey) = True, K(Oliver) = False\nK(Ava) = False",
        "Zoey is K: yes\nOliver is K: no\nAva is K: no",
        "Zoey: K=1, Oliver: K=0, Ava: K=0",
        "Zoey=True (K), Oliver=False (V), Ava=False (V)",
        "Zoey: True → K\nOliver: False → V\nAva: False → V",
        "Zoey:\n  K: yes\n  V: no\nOliver:\n  V: yes\nAva:\n  V: yes",
        '{"Zoey": {"role": "K", "honest": true}, "Oliver": {"role": "V", "honest": false}, "Ava": "V"}',
    ],
    "reasons": [
        "Zoey is K because her statement is true.\nOliver is V because his statement is a lie.\nAva is V because she lied.",
        "Zoey is K, as her claim holds, and Oliver is V, as what he said is wrong. Ava is V.",
        "Since her statement is true, Zoey is K. Because his is false, Oliver is V. Ava is V.",
        "Zoey is K, Oliver is V, and so is Ava.",
        "Zoey is K. Oliver is V, as is Ava.",
        "Oliver is V. So is Ava. Zoey is K.",
        "Zoey is K. Oliver is V due to his false statement. Ava is V since no one else can be.",
    ],
    "other": [
        "Zoey belongs to the K, Oliver and Ava to the V.",
        "Zoey turns out to be K; Oliver counts as V; Ava plays V",
        "Zoey是诚实的K，Oliver是狡猾的V，Ava也是爱说谎的V",
        "Zoey是K：是；Oliver是K：否；Ava是K：否",
    ],
}  # fmt: skip


def fill(form, first, second):
    return form.replace("K", first).replace("V", second)


@pytest.mark.parametrize("form", [form for forms in BOTH.values() for form in forms])
def test_forms_of_right_answers_are_read_and_of_wrong_ones_not_paid(form):
    for first, second in (("knight", "knave"), ("骑士", "无赖")):
        assert judge(fill(form, first, second)) == "correct"
        assert judge(fill(form, second, first)) != "correct"
        others = [["Zoey", "knave"], ["Oliver", "knave"], ["Ava", "knave"]]
        assert judge(fill(form, first, second), others) == "wrong"


MIXED = """Zoey Oliver knight knave knights knaves is : , ; | no yes ✓ ✗ true false 0 1 0% [x] not because as
so statement ( ) { } - -> \\n none both 是 否 . & <td> </td>"""
pieces = st.sampled_from([*MIXED.split(), "\n", "\t", "[ ]", "so is"])


@given(st.lists(pieces, max_size=40).map(" ".join))
@settings(max_examples=500, deadline=None)
def test_any_mixture_gets_a_verdict(text):
    judge(text)


@pytest.mark.parametrize("piece", ["|", "| Zoey | ✓ |\n", "knight: no, ", "because ", "✓ ", "so is Zoey, ", "~~a",
                                   "Zoey knight, so is ", "statement ", "\t", "& ", "<td>"])  # fmt: skip
def test_marks_take_linear_time(piece):
    text = piece * (
        80_000 // len(piece)
    )  # quadratic time would not end within the suite's patience
    verify({"id": "x", "completion": f"<answer>{text}</answer>", "answer": RIGHT}, max_chars=10**6)
