"""What the robust reader makes of answers: a row is (the answer's text, what is expected of it).

"ok" is read and right, "wrong" is read and wrong, anything else is the reason why it is unreadable.
In every row Zoey is a knight, Oliver and Ava are knaves, unless the row's table says otherwise.
"""

import pytest

from swr1.verifiers.builtin.knights import verify

PEOPLE = [["Zoey", "knight"], ["Oliver", "knave"], ["Ava", "knave"]]


def judge(text, answer=PEOPLE, roles=None):
    record = {"id": "x", "completion": f"<answer>{text}</answer>", "answer": answer}
    return verify(record | {"info": {"roles": roles} if roles else {}})


def outcome(verdict):
    assert verdict["score"] == (1.0 if verdict["label"] == "correct" else 0.0)
    short = {"correct": "ok", "wrong": "wrong", "unreadable": verdict["detail"]["reason"]}
    return short[verdict["label"]]


LISTS = [
    ("(1) Zoey is a knight\n(2) Oliver is a knave\n(3) Ava is a knave", "ok"),
    ("(1) Zoey is a knight\n(2) Oliver is a knight\n(3) Ava is a knave", "wrong"),
    ("( 1 ) zoey is a knight ( 2 ) oliver is a knave ( 3 ) ava is a knave", "ok"),
    ("( 1 ) zoey is a knave ( 2 ) oliver is a knave ( 3 ) ava is a knave", "wrong"),
    ("zoey knight oliver knave ava knave", "ok"),
    ("1. Zoey is a knight.\n2. Oliver is a knave.\n3. Ava is a knave.", "ok"),
    ("1) ZOEY IS A KNIGHT 2) OLIVER IS A KNAVE 3) AVA IS A KNAVE", "ok"),
    ("- Zoey: knight\n- Oliver: knave\n- Ava: knave", "ok"),
    ("• Zoey – Knight\n• Oliver – Knave\n• Ava — Knave", "ok"),
    ("* Zoey = knight\n* Oliver = knave\n* Ava = knave", "ok"),
    ("Zoey → knight\nOliver -> knave\nAva => knave", "ok"),
    ("Zoey,knight\nOliver,knave\nAva,knave", "ok"),
    ("Zoey\tknight\nOliver\tknave\nAva\tknave", "ok"),
    ("Zoey ...... knight\nOliver ...... knave\nAva ...... knave", "ok"),
    ("Zoey (knight), Oliver (knave), Ava (knave)", "ok"),
    ("Zoey is knight, Oliver is knave, Ava is knave", "ok"),
    ("Zoey: a knight; Oliver: a knave; Ava: a knave", "ok"),
    ("Zoey as a knight, Oliver as a knave, Ava as a knave", "ok"),
    ("Ava is a knave\nOliver is a knave\nZoey is a knight", "ok"),
    ("Zoey, Oliver, Ava: knight, knave, knave", "ok"),
    ("Zoey, Oliver, Ava: knave, knave, knight", "wrong"),
    ("Zoey, Oliver, Ava\nknight, knave, knave", "ok"),
    ("Zoey is a knight\r\nOliver is a knave\r\nAva is a knave\r\n", "ok"),
    ("Zoey-knight, Oliver-knave, Ava-knave", "ok"),
    ("Zoey(knight)Oliver(knave)Ava(knave)", "ok"),
]

MARKUP = [
    ("**Zoey** is a **knight**\n__Oliver__ is a __knave__\n*Ava* is a _knave_", "ok"),
    ("**Zoey: Knight**  \n**Oliver: Knave**  \n**Ava: Knave**", "ok"),
    ("### Zoey\nKnight\n\n### Oliver\nKnave\n\n### Ava\nKnave", "ok"),
    ("## Knights\n- Zoey\n\n## Knaves\n- Oliver\n- Ava", "ok"),
    ("## Knights\n- Oliver\n\n## Knaves\n- Zoey\n- Ava", "wrong"),
    ("`Zoey` is a `knight`; `Oliver` and `Ava` are `knaves`", "ok"),
    ("~~Zoey~~ knight, Oliver knave, Ava knave", "ok"),
    ("> Zoey: knight\n> Oliver: knave\n> Ava: knave", "ok"),
    ("$\\text{Zoey is a knight}$, $\\text{Oliver is a knave}$, $\\text{Ava is a knave}$", "ok"),
    (
        "\\boxed{\\text{Zoey}: \\text{knight} \\\\ \\text{Oliver}: \\text{knave} \\\\ Ava: knave}",
        "ok",
    ),
    (
        "\\begin{itemize}\\item Zoey: knight \\item Oliver: knave \\item Ava: knave\\end{itemize}",
        "ok",
    ),
    ("$$\\text{Zoey} = \\mathbf{knight},\\quad \\text{Oliver} = \\text{Ava} = knave$$", "ok"),
    ("<b>Zoey</b> is a <i>knight</i><br>Oliver is a knave<br/>Ava is a knave", "ok"),
    ("<ul><li>Zoey: knight</li><li>Oliver: knave</li><li>Ava: knave</li></ul>", "ok"),
    ("“Zoey” is a ‘knight’, «Oliver» is a 'knave', \"Ava\" is a knave", "ok"),
    ("✅ Zoey: knight\n🔹 Oliver: knave\n🔹 Ava: knave", "ok"),
    ("```\nZoey is a knight\nOliver is a knave\nAva is a knave\n```", "ok"),
    ("(1) Zoey is a knight\\n(2) Oliver is a knave\\nAva is a knave", "ok"),
]

TABLES = [
    ("| Name | Role |\n|---|---|\n| Zoey | Knight |\n| Oliver | Knave |\n| Ava | Knave |", "ok"),
    ("| Name | Role |\n|---|---|\n| Zoey | Knave |\n| Oliver | Knave |\n| Ava | Knave |", "wrong"),
    ("| # | Person | Knight or knave? |\n|:-:|---|---|\n|1|Zoey|knight|\n|2|Oliver|knave|\n|3|Ava|knave|", "ok"),
    ("| Name | Knight/Knave |\n|--|--|\n| Zoey | Knight |\n| Oliver | Knave |\n| Ava | Knave |", "ok"),
    ("| Zoey | Oliver | Ava |\n|---|---|---|\n| knight | knave | knave |", "ok"),
    ("| Zoey | Oliver | Ava |\n|---|---|---|\n| knave | knave | knight |", "wrong"),
    ("Zoey | knight\nOliver | knave\nAva | knave", "ok"),
    ("<table><tr><td>Zoey</td><td>knight</td></tr><tr><td>Oliver</td><td>knave</td></tr><tr><td>Ava</td><td>knave</td></tr></table>", "ok"),
    ("| Name | Knight | Knave |\n|---|---|---|\n| Zoey | x | |\n| Oliver | | x |\n| Ava | | x |", "ok"),
    ("| Zoey | knight |\n| Oliver | knave |\n| Ava | knave |\n| Bob | knave |", "stranger"),
    ("Zoey & knight \\\\ Oliver & knave \\\\ Ava & knave", "ok"),
]  # fmt: skip

JSON = [
    ('{"Zoey": "knight", "Oliver": "knave", "Ava": "knave"}', "ok"),
    ('{"Zoey": "knave", "Oliver": "knave", "Ava": "knave"}', "wrong"),
    ("{'Zoey': 'knight', 'Oliver': 'knave', 'Ava': 'knave',}", "ok"),
    ('```json\n{\n  "Zoey": "knight",\n  "Oliver": "knave",\n  "Ava": "knave"\n}\n```', "ok"),
    ('[{"name": "Zoey", "role": "knight"}, {"name": "Oliver", "role": "knave"}, {"name": "Ava", "role": "knave"}]', "ok"),
    ('[{"role": "knight", "name": "Zoey"}, {"role": "knave", "name": "Oliver"}, {"role": "knave", "name": "Ava"}]', "ok"),
    ('[\n{\n"role": "knight",\n"name": "Zoey"\n},\n{\n"role": "knave",\n"name": "Oliver"\n},\n{\n"role": "knave",\n"name": "Ava"\n}\n]', "ok"),
    ('[["Zoey", "knight"], ["Oliver", "knave"], ["Ava", "knave"]]', "ok"),
    ('["Zoey is a knight", "Oliver is a knave", "Ava is a knave"]', "ok"),
    ('{"knights": ["Zoey"], "knaves": ["Oliver", "Ava"]}', "ok"),
    ('{"knights": [], "knaves": ["Zoey", "Oliver", "Ava"]}', "wrong"),
    ('{"knaves": ["Oliver", "Ava"], "knights": ["Zoey"]}', "ok"),
    ('{"solution": {"Zoey": {"role": "knight"}, "Oliver": {"role": "knave"}, "Ava": {"role": "knave"}}}', "ok"),
    ('{"Zoey": "knight", "Zoey": "knave", "Oliver": "knave", "Ava": "knave"}', "contradiction"),
    ('{"Zoey": "knight", "Oliver": "knave", "Ava": "knave", "Bob": "knave"}', "stranger"),
    ('{"Zoey": ["knight", "knave"], "Oliver": "knave", "Ava": "knave"}', "contradiction"),
    ('{"Zoey": true, "Oliver": true, "Ava": true}', "missing"),
    ("Zoey: role: knight\nOliver: role: knave\nAva: role: knave", "ok"),
    ("answer:\n  knights:\n    - Zoey\n  knaves:\n    - Oliver\n    - Ava", "ok"),
    ('{"knights": ["Zoey"], "knaves": "all others", "liars": []}', "ok"),
]  # fmt: skip

PROSE = [
    ("Zoey is a knight, and Oliver and Ava are knaves.", "ok"),
    ("Zoey is a knight, while Oliver and Ava are both knaves.", "ok"),
    ("Zoey is a knight, Oliver a knave, and Ava a knave.", "ok"),
    ("Zoey's a knight; Oliver's a knave; Ava’s a knave", "ok"),
    ("Zoey’s role is knight. Oliver's identity is knave. Ava: identity - knave.", "ok"),
    ("Zoey isn't a knave. Oliver isn't a knight. Ava is not a knight.", "ok"),
    ("Zoey isn't a knight. Oliver isn't a knight. Ava is not a knight.", "wrong"),
    ("Zoey cannot be a knave; Oliver can't be a knight; Ava is never a knight", "ok"),
    ("Zoey is no knave. Oliver and Ava are no knights.", "ok"),
    ("Zoey is a non-knave. Oliver and Ava are non-knights.", "ok"),
    ("Zoey is a knight, not a knave. Oliver and Ava are knaves, not knights.", "ok"),
    ("Zoey is not a knave but a knight. Oliver is not a knight, he is a knave. Ava is a knave.", "ok"),
    ("Neither Oliver nor Ava is a knight; Zoey is a knight.", "ok"),
    ("Zoey is a knight; neither Oliver nor Ava is a knave.", "wrong"),
    ("Oliver isn't a knight and neither is Ava a knight. Zoey is a knight.", "ok"),
    ("The knight is Zoey and the knaves are Oliver and Ava.", "ok"),
    ("The only knight is Zoey. Oliver and Ava: knaves.", "ok"),
    ("Knights: Zoey. Knaves: Oliver, Ava.", "ok"),
    ("Knights (1): Zoey; Knaves (2): Oliver and Ava", "ok"),
    ("Knights - Zoey, knaves - Oliver, Ava", "ok"),
    ("Knight = Zoey; Knave = Oliver, Ava", "ok"),
    ("(1) knight: Zoey (2) knave: Oliver (3) knave: Ava", "ok"),
    ("There is one knight, Zoey, and two knaves, Oliver and Ava.", "ok"),
    ("There is 1 knight: Zoey. There are 2 knaves: Oliver and Ava.", "ok"),
    ("Zoey is a knight and the others are knaves.", "ok"),
    ("Zoey is a knight. Everyone else is a knave.", "ok"),
    ("Zoey is a knight. The other two are knaves.", "ok"),
    ("Zoey is a knight. None of the others is a knight.", "ok"),
    ("Oliver and Ava are knaves; the remaining one is a knight.", "ok"),
    ("Knights: Zoey. Knaves: everyone else.", "ok"),
    ("Oliver is a knight and the others are knaves.", "wrong"),
    ("All are knaves.", "wrong"),
    ("All three are knaves.", "wrong"),
    ("Everybody is a knight", "wrong"),
    ("None of them is a knight.", "wrong"),
    ("They are all knights.", "wrong"),
    ("Zoey, Oliver and Ava are a knight, a knave and a knave, respectively.", "ok"),
    ("Zoey and Oliver are a knave and a knave, respectively. Ava is a knave.", "wrong"),
    ("It is Zoey who is the knight; Oliver and Ava are the knaves.", "ok"),
    ("Therefore, after checking everything, Zoey is a knight, and so Oliver and Ava are knaves.", "ok"),
    ("Zoey must be a knight, so Oliver must be a knave and Ava must be a knave.", "ok"),
    ("Zoey is, without any doubt, a knight. Oliver is obviously a knave. Ava is a knave too.", "ok"),
    ("Zoey is a knight because she tells the truth. Oliver is a knave because he lies. Ava is a knave.", "ok"),
    ("Zoey is a truth-teller. Oliver and Ava are liars.", "ok"),
    ("We identify Zoey as a knight, Oliver as a knave and Ava as a knave.", "ok"),
    ("Zoey is a knight. She is not a knave. Oliver and Ava are knaves. They are not knights.", "ok"),
    ("Zoey is a knight Oliver is a knave Ava is a knave", "ok"),
    ("Zoey is a knight. Zoey is a knight. Oliver is a knave. Ava is a knave.", "ok"),
    ("Zoey the wise is a knight; Oliver and Ava are knaves", "ok"),
    ("Zoey is a knight, the knaves are Oliver and Ava.", "ok"),
    ("Zoey is a knight and is undoubtedly not a knave; Oliver and Ava are knaves.", "ok"),
    ("Neither Oliver nor Ava is a knight, Zoey is a knight.", "ok"),
    ("Zoey: knight / Oliver: knave / Ava: knave", "ok"),
    ("Zoey the wise: role: knight\nOliver: knave\nAva: knave", "ok"),
    ("Zoey is a knight, that is, Oliver and Ava are knaves.", "ok"),
    ("The plan is simple, knights: Zoey, knaves: Oliver and Ava", "ok"),
    ("All knights: Zoey. All knaves: Oliver, Ava.", "ok"),
    ("Zoey is a knight. There is one knight and all others are knaves.", "ok"),
    ("Zoey is a knight\nThe others: knaves", "ok"),
    ("Zoey is a knight for sure, not a knave. Oliver and Ava are knaves.", "ok"),
    ("All knights (Zoey). All knaves (Oliver, Ava).", "ok"),
    ("Knight: none. Knaves: Zoey, Oliver, Ava", "wrong"),
]  # fmt: skip

AROUND = [  # text around the roles that changes nothing
    ("Zoey is a knight.\nOliver is a knave.\nAva is a knave.\nThere are 1 knight and 2 knaves.", "ok"),
    ("There are 2 knaves and 1 knight: Zoey is a knight, Oliver is a knave, Ava is a knave.", "ok"),
    ("In total: 1 knight, 2 knaves.\nZoey: knight\nOliver: knave\nAva: knave", "ok"),
    ("Exactly one person is a knight. Zoey is a knight. Oliver is a knave. Ava is a knave.", "ok"),
    ("Who is a knight and who is a knave? Zoey is a knight. Oliver and Ava are knaves.", "ok"),
    ("Each islander is a knight or a knave. Zoey is a knight. Oliver and Ava are knaves.", "ok"),
    ("The knights and knaves are as follows:\nZoey: knight\nOliver: knave\nAva: knave", "ok"),
    ("Final Answer:\n1. Zoey — Knight\n2. Oliver — Knave\n3. Ava — Knave", "ok"),
    ("The only possible solution is:\nZoey: knight\nOliver: knave\nAva: knave", "ok"),
    ("People: Zoey, Oliver, Ava\nKnights:\n- Zoey\nKnaves:\n- Oliver\n- Ava", "ok"),
    ("Here is what I found.\n\nZoey is a knight.\nOliver is a knave.\nAva is a knave.\n\nThank you!", "ok"),
    ("Zoey is a knight. Oliver is a knave. Ava is a knave. All statements are consistent.", "ok"),
    ("Ava told us everything. Zoey is a knight. Oliver and Ava are knaves.", "ok"),
    ("There are two knaves in all. Zoey is a knight. Oliver and Ava are knaves.", "ok"),
    ("There is one knight among these folk. Zoey is a knight. Oliver and Ava are knaves.", "ok"),
    ("The knights and knaves found are these:\nZoey: knight\nOliver: knave\nAva: knave", "ok"),
    ("My list of knight and knave names:\nZoey: knight\nOliver: knave\nAva: knave", "ok"),
    ("The knights and knaves: Zoey knight, Oliver knave, Ava knave", "ok"),
]  # fmt: skip

INCOMPLETE = [
    ("", "empty"),
    (" \n\t ", "empty"),
    ("...", "missing"),
    ("42", "missing"),
    ("Zoey is a knight\nOliver is a knave", "missing"),
    ("Zoey is a knight. Oliver is a knave. Ava is a", "missing"),
    ("knight, knave, knave", "missing"),
    ("(1) knight\n(2) knave\n(3) knave", "missing"),
    ("Zoey, Oliver, Ava", "missing"),
    ("Zoey is the only knight.", "missing"),
    ("There are 1 knight and 2 knaves.", "missing"),
    ("Zoey, Oliver and Ava are knights and knaves", "contradiction"),
    ("Both are knaves", "unclear"),
    ("The others are knaves", "unclear"),
    ("One is a knight and the others are knaves", "unclear"),
    ("Zoey\nOliver\nknight\nAva is a knave", "unclear"),
    ("Zoey is a knight like Oliver, and Ava is a knave", "unclear"),
    ("Zoey is a knight beside Oliver, and Ava is a knave", "unclear"),
    ("All are knaves except Zoey, who is a knight", "unclear"),
    ("knight Zoey knave Oliver knave Ava", "unclear"),
    ("Zoey and Oliver are a knight, a knave and a knave, respectively. Ava is a knave", "unclear"),
    ("Knights and knaves: Zoey, Oliver, Ava", "missing"),
    ("There is 1 knight and 2 knaves: Zoey, Oliver, Ava", "missing"),
    ("Zoey and the others are knaves", "unclear"),
    ("All are not knaves", "unclear"),
    ("She is a knight. Zoey is a knight. Oliver and Ava are knaves.", "unclear"),
    ("Zoey, Oliver and Ava are not a knave, a knight and a knight, respectively.", "unclear"),
    ("Knights and knaves: all", "missing"),
]

STRANGERS = [
    ("Zoey is a knight. Oliver is a knave. Ava is a knave. Bob is a knight.", "stranger"),
    ("( 1 ) zoey is a knight ( 2 ) oliver is a knave ( 3 ) ava is a knave ( 4 ) bob is a knave", "stranger"),
    ("(1) Zoey is a knight\n(2) Oliver is a knave\n(3) Ava is a knave\n(4) Bob is a knave", "stranger"),
    ("Zoey: knight, Oliver: knave, Ava: knave, Bob: knave", "stranger"),
    ("Zoey,knight\nOliver,knave\nAva,knave\nBob,knave", "stranger"),
    ("Zoey knight, Oliver knave, Ava knave, Bob knave", "stranger"),
    ("Zoey and Bob are knights; Oliver and Ava are knaves", "stranger"),
    ("Bob and Zoey are knights; Oliver and Ava are knaves", "stranger"),
    ("Bob, Zoey are knights; Oliver and Ava are knaves", "stranger"),
    ("Zoey is a knight; Oliver, Bob and Ava are knaves", "stranger"),
    ("Knights: Zoey, Bob. Knaves: Oliver, Ava", "stranger"),
    ("Knights:\n- Zoey\n- Bob\nKnaves:\n- Oliver\n- Ava", "stranger"),
    ("Zoey is a knight and Bob is a knight and Oliver and Ava are knaves", "stranger"),
    ("Zoey's brother is a knight. Oliver and Ava are knaves", "stranger"),
    ("There is a man, Bob, who is a knight. Zoey is a knight. Oliver and Ava are knaves.", "stranger"),
    ("Ava-Maria is a knave. Zoey is a knight. Oliver is a knave.", "stranger"),
    ("Zoey, Bob knights; Oliver, Ava knaves", "stranger"),
    ("Bob 2 is a knight. Zoey is a knight. Oliver and Ava are knaves.", "stranger"),
    ("Zoey, Bob knight; Oliver, Ava knaves", "stranger"),
]  # fmt: skip

UNCOMMITTED = [
    ("Zoey is a knight or a knave. Oliver is a knave. Ava is a knave.", "hedge"),
    ("Either Zoey is a knight and Oliver and Ava are knaves, or nobody is.", "hedge"),
    ("Either:\nZoey: knight\nOliver: knave\nAva: knave\nor the other way round", "hedge"),
    ("Zoey: knight/knave, Oliver: knave, Ava: knave", "hedge"),
    ("Zoey: knight / knave\nOliver: knave\nAva: knave", "hedge"),
    ("Zoey: knight|knave, Oliver: knave, Ava: knave", "contradiction"),
    ("Maybe Zoey is a knight, Oliver is a knave, Ava is a knave", "hedge"),
    ("Zoey is probably a knight. Oliver and Ava are knaves.", "hedge"),
    ("Zoey might be a knight. Oliver and Ava are knaves.", "hedge"),
    ("I guess Zoey is a knight. Oliver and Ava are knaves.", "hedge"),
    ("It is possible that Zoey is a knight. Oliver and Ava are knaves.", "hedge"),
    ("One possibility: Zoey is a knight, Oliver and Ava are knaves.", "hedge"),
    ("Zoey is a knight, Oliver is a knave, Ava is unknown", "hedge"),
    ("Zoey could be a knight, Oliver and Ava are knaves.", "hedge"),
    ("It cannot be determined, but Zoey is a knight, Oliver and Ava are knaves", "hedge"),
    ("Is Zoey a knight? Oliver is a knave. Ava is a knave.", "question"),
    ("is zoey a knight, oliver a knave, ava a knave", "question"),
    ("Zoey: knight?\nOliver: knave\nAva: knave", "question"),
    ("Zoey is a knight, Oliver is a knave, Ava is a knave?", "question"),
    ("If Zoey is a knight then Oliver is a knave and Ava is a knave.", "conditional"),
    ("Zoey is a knight if Oliver and Ava are knaves", "conditional"),
    ("Zoey is a knight iff Oliver is a knave. Ava is a knave.", "conditional"),
    ("Suppose Zoey is a knight, Oliver is a knave, Ava is a knave.", "conditional"),
    ("Zoey is a knight unless she is a knave; Oliver, Ava: knaves", "conditional"),
    ("Zoey is a knight -> Oliver is a knave, Ava is a knave", "conditional"),
    ("Zoey is a knight implies Oliver is a knave. Ava is a knave.", "conditional"),
    ("It is false that Zoey is a knight and Oliver and Ava are knaves.", "negated"),
    ("It is not the case that Zoey is a knight, Oliver is a knave, Ava is a knave.", "negated"),
    ("Not true: Zoey is a knight, Oliver is a knave, Ava is a knave.", "negated"),
    ("Zoey is a knight, Oliver is a knave, Ava is a knave. Not!", "negated"),
    ("Zoey: knight\nOliver: knave\nAva: knave\nAll of this is false.", "negated"),
    ("The opposite of: Zoey is a knight, Oliver is a knave, Ava is a knave", "negated"),
    ("Zoey is a knight is not true. Oliver and Ava are knaves.", "negated"),
    ("Not Zoey is a knight. Oliver and Ava are knaves.", "negated"),
    ("Zoey is a knight. Oliver is a knave. Ava is not.", "negated"),
    ("Not all are knights. Zoey is a knight. Oliver and Ava are knaves.", "unclear"),
    ("Zoey says Oliver is a knave. Zoey is a knight. Oliver and Ava are knaves.", "reported"),
    ("According to Ava, Zoey is a knight. Oliver and Ava are knaves.", "reported"),
    ("Zoey is a knight, since Ava claims Zoey is a knave. Oliver and Ava are knaves.", "reported"),
]

CONTRADICTIONS = [
    ("Zoey is a knight. Zoey is a knave. Oliver is a knave. Ava is a knave.", "contradiction"),
    ("Zoey is a knight and a knave. Oliver and Ava are knaves.", "contradiction"),
    ("Zoey is neither a knight nor a knave. Oliver and Ava are knaves.", "contradiction"),
    ("Zoey: knight, knave\nOliver: knave, knight\nAva: knave, knight", "contradiction"),
    ("Zoey, Oliver and Ava are a knight, a knave and a knave", "contradiction"),  # who is which?
    ("Knights: Zoey, Oliver. Knaves: Oliver, Ava", "contradiction"),
    ("Zoey is a knight. The others are knaves. Ava is a knight.", "contradiction"),
    ("Solution 1: Zoey is a knight, Oliver is a knave, Ava is a knave.\n"
     "Solution 2: Zoey is a knave, Oliver is a knave, Ava is a knave.", "contradiction"),
    ("\n".join(f"Zoey is a {z}, Oliver is a {o}, Ava is a {a}"
               for z in ("knight", "knave") for o in ("knight", "knave") for a in ("knight", "knave")),
     "contradiction"),
    ("Zoey is a knight; there she is a knave; Oliver and Ava are knaves", "contradiction"),
    ("Zoey knight knave, Oliver knave, Ava knave", "contradiction"),
]  # fmt: skip

CHINESE = [
    ("Zoey是骑士，Oliver是无赖，Ava也是无赖。", "ok"),
    ("Zoey 是骑士\nOliver 是骑士\nAva 是无赖", "wrong"),
    ("（1）Zoey是骑士\n（2）Oliver是无赖\n（3）Ava是无赖", "ok"),
    ("Zoey：骑士；Oliver：无赖；Ava：无赖", "ok"),
    ("骑士：Zoey；无赖：Oliver、Ava", "ok"),
    ("骑士是Zoey，无赖是Oliver和Ava。", "ok"),
    ("Zoey是骑士，其他人都是无赖。", "ok"),
    ("Zoey是骑士。另外两个人是无赖。", "ok"),
    ("Zoey是骑士，Oliver和Ava都不是骑士。", "ok"),
    ("Zoey不是无赖，Oliver不是骑士，而是无赖，Ava是恶棍。", "ok"),
    ("Zoey、Oliver和Ava分别是骑士、无赖和无赖。", "ok"),
    ("Zoey是老实人，Oliver是说谎者，Ava是骗子。", "ok"),
    ("Zoey是騎士，Oliver是無賴，Ava是流氓。", "ok"),
    ("Zoey（骑士）、Oliver（无赖）、Ava（无赖）", "ok"),
    ("所以，Zoey一定是骑士，Oliver必须是无赖，Ava显然是无赖。", "ok"),
    ("答案：\n- **Zoey**：骑士\n- **Oliver**：无赖\n- **Ava**：无赖", "ok"),
    ("谁是骑士？Zoey是骑士，Oliver和Ava是无赖。", "ok"),
    ("岛上有一个骑士和两个无赖。Zoey是骑士，Oliver和Ava是无赖。", "ok"),
    ("Zoey is a knight，Oliver is a knave、Ava is a knave。", "ok"),
    ("三人都是无赖", "wrong"),
    ("所有人都是骑士。", "wrong"),
    ("Zoey是骑士，Oliver是无赖", "missing"),
    ("Zoey是骑士吗？Oliver是无赖，Ava是无赖", "question"),
    ("Zoey是骑士吗，Oliver是无赖，Ava是无赖", "question"),
    ("如果Zoey是骑士，那么Oliver是无赖，Ava是无赖", "conditional"),
    ("Zoey可能是骑士，Oliver是无赖，Ava是无赖", "hedge"),
    ("Zoey是骑士或者无赖，Oliver是无赖，Ava是无赖", "hedge"),
    ("Zoey说Oliver是无赖，Zoey是骑士，Ava是无赖", "reported"),
    ("不对：Zoey是骑士，Oliver是无赖，Ava是无赖", "negated"),
    ("Zoey是骑士，Zoey是无赖，Oliver是无赖，Ava是无赖", "contradiction"),
]

ALL = [
    *LISTS, *MARKUP, *TABLES, *JSON, *PROSE, *AROUND, *INCOMPLETE, *STRANGERS, *UNCOMMITTED,
    *CONTRADICTIONS, *CHINESE,
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), ALL)
def test_answer(text, expected):
    assert outcome(judge(text)) == expected


K, N = "knight", "knave"
OTHER_PEOPLE = [  # answer, text, expected
    ([["Zoë", K], ["José", N]], "Zoë is a knight. José is a knave.", "ok"),
    ([["Zoë", K], ["José", N]], "ZOE\u0308 is a knight. JOSE\u0301 is a knave.", "ok"),
    ([["Zoë", K], ["José", N]], "Zoe is a knight. Jose is a knave.", "stranger"),
    ([["Ann", K], ["Anna", N]], "Anna is a knave, Ann is a knight", "ok"),
    ([["Ann", K], ["Anna", N], ["Anna-Maria", K]], "Ann: knight, Anna: knave, Anna-Maria: knight", "ok"),
    ([["Ann", K], ["Anna", N]], "Anna is a knave, Annabel is a knight", "stranger"),
    ([["Jean-Luc", K], ["Jean", N]], "Jean-Luc is a knight and Jean is a knave", "ok"),
    ([["Jean-Luc", K], ["Jean", N]], "Jean - Luc is a knave and Jean is a knave", "wrong"),
    ([["Mary Ann", K], ["Mary", N]], "**Mary Ann** is a knight; **Mary** is a knave", "ok"),
    ([["Mary Ann", K], ["Mary", N]], '{"Mary Ann": "knight", "Mary": "knave"}', "ok"),
    ([["St. John", K], ["Dr. Who", N]], "St. John is a knight. Dr. Who is a knave.", "ok"),
    ([["O'Brien", K], ["D'Arcy", N]], "O’Brien's a knight, D'Arcy isn't a knight", "ok"),
    ([["A", K], ["B", N]], "A is a knight, B is a knave", "ok"),
    ([["A", K], ["B", N]], "A: knave\nB: knave", "wrong"),
    ([["Will", K], ["May", N]], "Will is a knight, May is a knave", "ok"),
    ([["Player1", K], ["Player10", N]], "Player1: knight, Player10: knave", "ok"),
    ([["mary_ann", K], ["bob", N]], "mary_ann: knight, bob: knave", "ok"),
    ([["佐伊", K], ["奥利弗", N]], "佐伊是骑士，奥利弗是无赖。", "ok"),
    ([["佐伊", K], ["奥利弗", N]], "佐伊 is a knight, 奥利弗 is a knave", "ok"),
    ([["佐伊", K], ["奥利弗", N]], "佐伊is a knight奥利弗is a knave", "ok"),
    ([["佐伊", K], ["奥利弗", N]], "佐伊和奥利弗分别是骑士和无赖", "ok"),
    ([["佐伊", K], ["奥利弗", N]], "两人都是无赖", "wrong"),
    ([["李雷", K], ["李雷雷", N]], "李雷是骑士，李雷雷是无赖", "ok"),
    ([["甲", K], ["乙", N]], "甲是骑士乙是无赖", "ok"),
    ([["玛丽·安", K], ["玛丽", N]], "玛丽·安是骑士，玛丽是无赖", "ok"),
    ([["Зоя", K], ["Олег", N]], "Зоя is a knight, ОЛЕГ is a knave", "ok"),
    ([["Νίκος", K], ["Ελένη", N]], "ΝΊΚΟΣ: knight; Ελένη: knave", "ok"),
    ([["علي", K], ["سارة", N]], "علي is a knight, سارة is a knave", "ok"),
    ([["प्रिया", K], ["अमित", N]], "प्रिया is a knight, अमित is a knave", "ok"),
    ([["ゾーイ", K], ["민준", N]], "ゾーイ is a knight, 민준 is a knave", "ok"),
    ([["Zoey", K], ["Ava", K]], "Both are knights.", "ok"),
    ([["Zoey", N], ["Ava", N]], "Neither is a knight.", "ok"),
    ([["Zoey", N], ["Ava", N]], "Neither is a knight, so Zoey is a knave and Ava is a knave", "ok"),
    ([["Zoey", N], ["Ava", N]], "Not both are knights.", "unclear"),
    ([["Zoey", K]], "Zoey is a knight", "ok"),
    ([["Zoey", K]], "Zoey\u00a0is\u3000a\u200b knight", "ok"),
    ([["Zoey", K]], "Ｚｏｅｙ is a \u212anight", "ok"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "text", "expected"), OTHER_PEOPLE)
def test_names(answer, text, expected):
    assert outcome(judge(text, answer)) == expected


ROLES = [  # roles (or None), answer, text, expected
    (["saint", "sinner"], [["Zoey", "saint"], ["Ava", "sinner"]], "Zoey is a saint, Ava a sinner", "ok"),
    (["saint", "sinner"], [["Zoey", "saint"], ["Ava", "sinner"]], "Zoey and Ava are sinners", "wrong"),
    (["saint", "sinner"], [["Zoey", "saint"], ["Ava", "saint"]], "Zoey isn't a sinner; Ava's a saint", "ok"),
    (["saint", "sinner"], [["Zoey", "saint"]], "Zoey is a knight", "missing"),
    (["saint", "sinner"], [["Zoey", "saint"]], "Zoey is a truth-teller", "ok"),
    (None, [["Zoey", "hero"], ["Ava", "villain"]], "Heroes: Zoey. Villains: Ava.", "ok"),
    (None, [["Zoey", "altruist"], ["Ava", "egoist"]], "Zoey is an altruist, Ava is an egoist", "ok"),
    (["knave", "knight"], [["Zoey", "knave"]], "Zoey is a knave", "ok"),  # flipped: knaves tell the truth
    (["knave", "knight"], [["Zoey", "knave"]], "Zoey is a liar", "wrong"),
    (["knave", "knight"], [["Zoey", "knave"]], "Zoey是无赖", "ok"),
    (["骑士", "无赖"], [["佐伊", "骑士"], ["艾娃", "无赖"]], "佐伊是骑士，艾娃是无赖", "ok"),
    (["honest", "lying"], [["Zoey", "honest"], ["Ava", "lying"]], "Zoey is honest, Ava is lying", "ok"),
    (["truth teller", "liar"], [["Zoey", "liar"]], "Zoey is a liar, not a truth teller", "ok"),
]  # fmt: skip


@pytest.mark.parametrize(("roles", "answer", "text", "expected"), ROLES)
def test_changed_roles(roles, answer, text, expected):
    assert outcome(judge(text, answer, roles)) == expected


@pytest.mark.parametrize("role", ["knight", "knave"])
def test_nobody_and_then_a_list_says_nothing(role):
    everyone = [[name, role] for name in ("Mia", "Jack")]
    assert outcome(judge("Nobody is a knight: Mia, Jack", everyone)) == "unclear"
    nobody = judge("Nobody is a knight: Mia and Jack are knaves.", everyone)
    assert outcome(nobody) == ("ok" if role == "knave" else "wrong")


def test_detail_says_what_was_read():
    detail = judge("Zoey is a knight. Zoey is a knave. Oliver is a knave.")["detail"]
    assert detail["read"] == {"Zoey": "both", "Oliver": "knave", "Ava": None}
    assert (detail["right"], detail["people"], detail["reason"]) == (1, 3, "contradiction")
    assert judge("Zoey is a knave; the others are knaves")["detail"]["right"] == 2
