"""The words that matter in a Knights & Knaves answer, and what each does in a sentence.

A text becomes sentences, and a sentence becomes a string of kinds, one letter per word or phrase:
"(1) Zoey isn't a knight" is "#PNwR". `reader.py` reads those strings. The kinds:

    P person          C is, are        N not, isn't      O or, either      ? any other word
    R role            : colon, dash    Z neither         H maybe, unclear  h he, she, they
    r roles (plural)  > arrow          A all, everyone   I if, suppose     t there
    # number          , comma, bar     E none, nobody    S says, claims    w filler word
    o no              & and, but       B both            D opposite, wrong . end of a sentence
    V respectively    / slash          T the others      U like, except    Q question particle
    v true, a tick    x false, a cross j yes             u denied, unticked = so is, as is
    0 0, 0%           k because        y the letter y, t f the letter n, f, x
    a as              s statement

The last three lines are only a step: `marks.py` settles what they say of the roles beside them.

Markup, quotes, brackets and LaTeX commands vanish; lines, table rows and JSON objects end a
sentence. To teach the reader a word, put it into WORDS ("_" stands for a space in a phrase).
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

from swr1.errors import DataError
from swr1.verifiers.completions.text import INVISIBLE

TRUTH_TELLER = (
    "truth-teller truth_teller truthteller 老实人 诚实人 诚实者 诚实的人 说真话的人 说实话的人"
    " 讲真话的人"
)
LIAR = "liar 说假话的人 讲假话的人 说谎者 說謊者 说谎的人 撒谎者 骗子 騙子"


def _synonyms() -> tuple[list[tuple[str, str]], dict[str, str]]:
    """Pairs of role words, the truth teller's first; and a role word -> what else it is called.

    Both from data/roles.toml, in English and in Chinese.
    """
    file = resources.files("swr1.data") / "roles.toml"
    pairs, synonyms = [], {}
    for pair in tomllib.loads(file.read_text("utf-8"))["pairs"]:
        pairs += [tuple(pair["en"]), tuple(pair["zh"])]
        for english, chinese, also in zip(pair["en"], pair["zh"], pair["also"], strict=True):
            synonyms[english] = f"{chinese} {also}"
            synonyms[chinese] = f"{english} {also}"
    return pairs, synonyms


ROLE_PAIRS, SYNONYMS = _synonyms()

WORDS = {
    "C": """belongs_to belong_to belongs belong counts_as turns_out_to_be remains plays play
        falls_under fall_under is are was were am be been being 's 're equals
        是 就是 即 为 為 乃""",
    ":": ": = := - – — ― \\equiv \\colon \\triangleq \\sim",
    "a": "as",
    "k": """because since as_a_result_of given_that seeing_that due_to for_the_reason_that inasmuch_as
        因为 由于""",
    "s": """statement statements words sentence sentences thing things assertion assertions testimony
        utterance hers theirs truth truthful honest 话 陈述""",
    "=": "so_is so_are so_was as_is as_are as_was",
    "v": "true ✓ ✔ ✅ √ ☑ 👍 \\checkmark 真 真的 为真 对 正确",
    "x": "false ✗ ✘ ❌ ✖ ✕ × ❎ ⛔ 🚫 👎 \\times 假 假的 为假 错",
    "j": "yes yep yeah positive [x] [✓] [✔] (✓) 是的",
    "u": "nope nah null negative [_] (_) ☐ ⬜ □ \\square \\box 否",
    "y": "y t",
    "f": "n f x (x)",
    ">": """→ -> => ⇒ ⟹ ➜ ➔ ↦ ⟶ \\rightarrow \\longrightarrow \\to \\mapsto \\longmapsto \\implies
        \\leadsto \\leftrightarrow \\longleftrightarrow \\hookrightarrow \\xrightarrow \\xrightarrow{}""",
    ",": ", | 、 &",
    "/": "/",
    "&": """and as_well_as 和 与 與 跟 及 以及 nor plus while whereas but however so \\land \\wedge
        therefore thus hence then 而 并且 而且 且 但 但是 所以 因此 那么 于是""",
    "O": "or either alternatively otherwise xor \\lor \\vee 或 或者 要么 要不 还是 抑或",
    "N": """not isn't aren't wasn't weren't ain't can't cannot can_not couldn't won't never non ≠ ¬
        != \\neq \\neg \\lnot \\not 不 非 并非 不是 并不是 绝不是 不可能是""",
    "Z": "neither",
    "A": "all every_one every_person everyone everybody each 都 全 全都 全部 全是 所有 所有人 每个人 大家 人人",
    "E": "none nobody no_one noone 没有人 没人 无人",
    "B": "both 两人都 二人都",
    "T": "other others rest remaining remainder else 其他 其他人 其余 其余的人 剩下 剩余 另外 别人",
    "H": """maybe perhaps probably presumably potentially supposedly apparently seemingly
        hardly scarcely barely allegedly
        seem seems appear appears likely unlikely might may could would guess guesses guessing
        unsure uncertain unclear unknown undetermined undecided ambiguous indeterminate not_sure
        not_certain can't_tell cannot_tell can't_be_determined cannot_be_determined cannot_say
        can't_determine cannot_determine can't_say possible possibly possibility
        possibilities can_be_a can_be_an can_be_either
        可能 也许 或许 大概 似乎 好像 应该 估计 猜 猜测 不确定 无法确定 不能确定 说不定 未知
        不知道 不清楚""",
    "I": """if iff unless whether assuming assume assumes suppose supposing provided when whenever
        implies imply in_case 如果 若 假如 假设 假定 要是 除非 倘若 的话 只要 当且仅当""",
    "S": """say says said saying claim claims claimed claiming tell tells told state states stated
        stating assert asserts asserted declare declares declared according remark remarks remarked
        argue argues argued report reports reported think thinks believe believes accuse accuses
        说 说道 声称 宣称 表示 指出 认为""",
    "D": """untrue incorrect wrong impossible contradiction contradictory contradicts opposite
        reverse reversed inverse swapped vice_versa contrary deny denies denied mistaken
        none_of_the_above nonsense fake former pretended so-called would-be self-proclaimed
        no_way no_longer no_chance rejected refuted disproved disproven ruled_out excluded 错误 错的 不对 不成立 不正确 相反 不可能
        矛盾 颠倒""",
    "U": "like unlike than same similar similarly except besides 除了 一样 相同 同样",
    "V": "respectively in_that_order 分别 依次",
    "Q": "吗 嘛 么 是否",
    "h": "he she they 他 她 它 他们 她们",
    "t": "there 有",
    "#": "1 one two three four five six seven eight nine ten 一 二 两 三 四 五 六 七 八 九 十",
    "o": "no",
    ".": ". ! ? ; 。 \\n \\\\ \\newline <br> <br/> <br_/> <li> </li> <tr> </tr> <p> </p> <div> </div>",
    "w": """a an the of them that which who what this these it its his her their him here also too
        as_well as_follows such_as on_the_other_hand each_other no_contradiction another must can
        has have had to in into only just exactly simply merely actually indeed in_fact definitely
        certainly clearly surely obviously really truly finally lastly overall consequently thereby
        name names named person people persons islander islanders inhabitant inhabitants individual
        role roles identity identities type types status character characters label class called
        first second third fourth fifth sixth seventh eighth last final answer answers solution
        solutions conclusion result results assignment assignments list following follows below
        above summary total count truthfully honestly always
        tells_the_truth tell_the_truth telling_the_truth tells_truth lies lie lying means mean know
        single only_possible only_possibility every ok okay among
        tells_lies tell_lies telling_lies told_lies tells_a_lie told_a_lie told_the_truth
        tells_only_lies always_tells_the_truth speaks_the_truth says_the_truth speaks_truth
        no_doubt no_question no_lies no_other no_others no_contradictions no_inconsistency
        no_inconsistencies no_problem no_conflict no_conflicts no_issues 诚实 不诚实 善良 正直 真诚
        可靠 狡猾 邪恶 虚伪 可恶 说谎 撒谎 爱说谎 说真话 说实话 讲真话 说假话 讲假话 没错 的 了 则 就 也 人 个 名 位 一个 一名 一位 这 那 她的 他的
        谁 答案 身份 角色 姓名 名字 类型 结论 如下 岛上 岛民 居民 其中 属于 必定 必须 肯定 一定
        确实 显然 最终 最后 综上 综上所述 总之 只有 均""",
}

# Of "." the end of a question, of ":" what stands between a key and its value, of "v" and "x" words; and 1.
_DISTINGUISHED = frozenset("? : = := 1 true false 真 真的 为真 对 正确 假 假的 为假 错".split())

_CJK = r"\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_OTHER_TOKENS = (
    r"|\n|</?[a-zA-Z][^<>\n]{0,60}>"  # an HTML tag
    r"|\\(?:begin|end)\{\w{1,12}\*?\}"  # LaTeX; a command that opens a group takes its brace along
    r"|\\(?:text|math|emph|boxed|quad|qquad|item|hline|underline)[a-zA-Z]{0,6}\{?"
    r"|\\(?i:(?:long|hook)?(?:left)?rightarrow|newline|(?:long)?mapsto|to|implies|leadsto|equiv|colon|sim"
    r"|triangleq|checkmark|times|square|box|neq|neg|lnot|not|land|wedge|lor|vee|bf|rm|it|sf|tt|large"
    r"|left|right)(?![a-zA-Z])|\\xrightarrow(?:\{\})?|\\ding\{\d\d\}|\\[,;: ]|\[[ xX✓✔]\]|\([ xX✓]\)|:="
    r"|\\n(?!ewline|u\b)|\\\\"  # a line break that was escaped
    r"|\.{2,}|-{2,}(?!>)"
    r"|[^\s\w*~#$`\"“”„«»‹›「」『』【】《》()\[\]•●▪]"
)
_TOKEN = re.compile(rf"[^\W\d_{_CJK}]+|[{_CJK}]|\d+(?:\.\d+)?(?:\s?%)?{_OTHER_TOKENS}")
_ASCII_TOKEN = re.compile(
    rf"[a-zA-Z]+|[0-9]+(?:\.[0-9]+)?(?:\s?%)?{_OTHER_TOKENS}"
)  # the same, faster
_MAP = {0x2018: "'", 0x2019: "'", 0x02BC: "'"} | INVISIBLE


class Sentence(NamedTuple):
    kinds: str  # one letter per word or phrase
    values: list[int]  # per kind: the person's index, the role's index, or 0
    is_question: bool
    keyed: bool = False  # a role is written as a key with its value: "knight: no"


Entry = tuple[list[str], str, int]  # tokens of a phrase, kind, value
# By first token: (kind, value) of a word that begins no phrase, or a list of entries.
Table = dict[str, tuple[str, int] | list[Entry]]


def _plain(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFKC", text).translate(_MAP)


def _split(text: str) -> list[str]:
    return (_ASCII_TOKEN if text.isascii() else _TOKEN).findall(text)


def _tokens(text: str) -> list[str]:
    return _split(_plain(text).casefold())


def _with(table: Table, phrases: Iterable[tuple[str, str, int]]) -> Table:
    """A copy of the table with more phrases, the longest first, and new ones before old ones."""
    new: dict[str, list[Entry]] = {}
    for phrase, kind, value in phrases:
        tokens = _tokens(phrase)
        new.setdefault(tokens[0], []).append((tokens, kind, value))
    result = dict(table)
    for first, entries in new.items():
        entries += _entries(table, first)
        entries.sort(key=lambda entry: -len(entry[0]))
        result[first] = entries[0][1:] if [e[0] for e in entries] == [[first]] else entries
    return result


def _entries(table: Table, first: str) -> list[Entry]:
    entries = table.get(first, [])
    return entries if isinstance(entries, list) else [([first], *entries)]


def _plurals(word: str) -> list[str]:
    """What the plural of an English word may be, right and wrong spellings."""
    if not word.isascii():
        return []
    return [word + "s", word + "es", word.removesuffix("y") + "ies"] + [
        word.removesuffix(end) + "ves" for end in ("f", "fe") if word.endswith(end)
    ]


@lru_cache(maxsize=64)
def _grammar(roles: tuple[str, str]) -> Table:
    """All phrases except the names."""
    phrases: list[tuple[str, str, int]] = []
    forms = [{role.casefold(), *_plurals(role.casefold())} for role in roles]
    for index, role in enumerate(roles):
        phrases += [(role, "R", index), *[(word, "r", index) for word in _plurals(role)]]
        phrases += [("is" + role, "R", index)] if role.isascii() else []  # isKnight(Zoey)
    for index, called in enumerate((TRUTH_TELLER, LIAR)):  # what the roles are called besides
        for group in (called.split(), SYNONYMS.get(roles[index].casefold(), "").split()):
            if forms[1 - index].isdisjoint(
                group
            ):  # a puzzle may well call its truth tellers "liars"
                for word in group:
                    phrases += [(word, "R", index), *[(p, "r", index) for p in _plurals(word)]]
    for kind, text in WORDS.items():
        phrases += [(word, kind, int(word in _DISTINGUISHED)) for word in text.split()]
    phrases = [(word.replace("_", " "), kind, value) for word, kind, value in phrases]
    return _with({}, [*phrases, ("\n", ".", 0)])


class Lexicon:
    """What the words mean in one puzzle.

    Args:
        names: the people. They are found in any case, inside CJK text, longest first.
        roles: the two role words, the truth teller's first.

    Raises DataError for a name without letters or digits, or names that only differ in case.
    """

    def __init__(self, names: Sequence[str], roles: tuple[str, str]) -> None:
        self.people = len(names)
        self.cased: dict[int, list[str]] = {}  # a person called "A" is not the article "a"
        grammar = _grammar(roles)
        seen: dict[tuple[str, ...], str] = {}
        for index, name in enumerate(names):
            tokens = _tokens(name)
            if not any(token.isalnum() for token in tokens):
                raise DataError(f"the name {name!r} has no letters")
            if (other := seen.setdefault(tuple(tokens), name)) is not name:
                raise DataError(f"the names {other!r} and {name!r} read the same")
            if tokens in [entry[0] for entry in _entries(grammar, tokens[0])]:
                self.cased[index] = _split(_plain(name))
        self._table = _with(grammar, ((name, "P", index) for index, name in enumerate(names)))
        self._roles: dict[str, int | None] = {}

    def role_of(self, word: str) -> int | None:
        """The index of the role that `word` names, or None."""
        if word not in self._roles:
            sentences = self.sentences(word)
            is_role = len(sentences) == 1 and sentences[0].kinds in ("R", "r")
            self._roles[word] = sentences[0].values[0] if is_role else None
        return self._roles[word]

    def sentences(self, text: str) -> list[Sentence]:
        """The sentences of a text, in order, empty ones left out. Linear in its length."""
        plain = _plain(text)
        tokens = _split(plain.casefold())
        written = _split(plain) if self.cased else tokens
        if len(written) != len(tokens):  # lower case can split a rare letter
            written = tokens
        sentences: list[Sentence] = []
        kinds: list[str] = []
        values: list[int] = []
        braces: list[bool] = []  # the open ones: whether each is JSON's, not LaTeX's
        at, end, table = 0, len(tokens), self._table
        while at < end:
            token = tokens[at]
            entry = table.get(token)
            if entry.__class__ is tuple:
                kind, value = entry  # type: ignore[misc]
                at += 1
            else:
                size = 0
                if entry is not None:
                    kind, value, size = self._longest(entry, tokens, written, at)  # type: ignore
                if not size:
                    kind, value, size = _other(token, braces), 0, 1
                at += size
            if kind == ".":
                if kinds:
                    sentences.append(Sentence("".join(kinds), values, value == 1))
                    kinds, values = [], []
            elif kind:
                kinds.append(kind)
                values.append(value)
        if kinds:
            sentences.append(Sentence("".join(kinds), values, False))
        return sentences

    def _longest(
        self, entries: list[Entry], tokens: list[str], written: list[str], at: int
    ) -> tuple[str, int, int]:
        """Kind, value and size of the longest phrase that begins at a token; size 0 for none."""
        for phrase, kind, value in entries:
            size = len(phrase)
            if size == 1 or tokens[at : at + size] == phrase:
                cased = self.cased.get(value) if kind == "P" else None
                if cased is None or cased == written[at : at + size]:
                    return kind, value, size
        return "", 0, 0


def _other(token: str, braces: list[bool]) -> str:
    """The kind of a token that is in no table; "" when it says nothing."""
    if token.isalpha():
        return "?"
    if token[0].isdecimal():
        share = float(token.rstrip("% ")) / (100 if token[-1] == "%" else 1)
        if 0 < share < 1 or (share > 1 and token[-1] == "%"):
            return "H"  # a share of certainty
        return "#" if share else "0"
    if token.startswith("\\ding"):
        return "v" if token[6:8] in ("51", "52") else "x"
    if token[-1] == "{":
        braces.append(token == "{")
        return "." if braces[-1] else ""
    return "." if token == "}" and (not braces or braces.pop()) else ""


@lru_cache(maxsize=4096)
def lexicon(names: tuple[str, ...], roles: tuple[str, str]) -> Lexicon:
    """The Lexicon of a puzzle, kept, since a puzzle has many samples."""
    return Lexicon(names, roles)
