"""Rows in the shapes of published questions to be looked up, and what they become."""

HOTPOT = {
    "_id": "h1",
    "question": "Who?",
    "answer": "Ada",
    "type": "bridge",
    "level": "hard",
    "supporting_facts": [["One", 0], ["Two", 3], ["Two", 4]],
    "context": [["One", ["A sentence."]]],
}
TWO = {
    "_id": "w1",
    "type": "comparison",
    "question": "Which?",
    "context": {"title": ["One"], "content": [["A sentence."]]},
    "supporting_facts": {"title": ["One", "Two"], "sent_id": [0, 0]},
    "evidences": {"fact": ["One"], "relation": ["of"], "entity": ["x"]},
    "answer": "One",
}
MUSIQUE = {
    "id": "2hop__1",
    "paragraphs": [{"idx": 0, "title": "One", "paragraph_text": "A.", "is_supporting": True}],
    "question": "Where?",
    "question_decomposition": [{"id": 1, "question": "a"}, {"id": 2, "question": "b"}],
    "answer": "Rome",
    "answer_aliases": ["Roma", "Rome"],
    "answerable": True,
}
POPQA = {
    "id": 7,
    "subj": "Ada",
    "prop": "occupation",
    "obj": "poet",
    "s_wiki_title": "Ada",
    "s_pop": 41,
    "o_pop": 9,
    "question": "What is the occupation of Ada?",
    "possible_answers": '["poet", "bard"]',
}
FLASHRAG = {"id": "test_0", "question": "When?", "golden_answers": ["1900", "in 1900"]}
BOTH = ["1900", "in 1900"]

QA_SHAPES = [
    (
        "nq",
        "NQ-open.train.jsonl",
        [{"question": "when?", "answer": BOTH}],
        [("when?", {"task": "qa", "answer": BOTH}, {"searches": 1, "split": "train"})],
    ),
    (
        "hotpotqa",
        "hotpot_train_v1.1.json",
        [HOTPOT],
        [
            (
                "Who?",
                {"answer": ["Ada"]},
                {"searches": 2, "category": "bridge", "level": "hard", "context": None},
            )
        ],
    ),
    (
        "2wikimultihopqa",
        "validation.parquet",
        [TWO, TWO | {"question": "What?", "answer": ""}],
        [
            ("Which?", {"answer": ["One"]}, {"searches": 2, "category": "comparison"}),
            ("What?", {"answer": None}, {"searches": 2}),
        ],
    ),
    (
        "musique",
        "musique_full_v1.0_dev.jsonl",
        [MUSIQUE, MUSIQUE | {"question": "Whence?", "answerable": False}],
        [("Where?", {"answer": ["Rome", "Roma"]}, {"searches": 2, "paragraphs": None})],
    ),
    (
        "bamboogle",
        "b.csv",
        [{"Question": "How?", "Answer": "So"}],
        [("How?", {"answer": ["So"]}, {"searches": 2})],
    ),
    (
        "popqa",
        "test.tsv",
        [POPQA],
        [
            (
                "What is the occupation of Ada?",
                {"answer": ["poet", "bard"]},
                {"category": "occupation", "s_pop": "41", "searches": 1, "subj": None},
            )
        ],
    ),
    *(
        (name, "test.jsonl", [FLASHRAG], [("When?", {"answer": BOTH}, {"searches": searches})])
        for name, searches in {
            "nq": 1,
            "hotpotqa": None,
            "2wikimultihopqa": None,
            "musique": None,
            "bamboogle": 2,
            "popqa": 1,
        }.items()
    ),
]
