"""Rows of our own making in the shape in which each data set is published, and what they become."""

import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq

from tests.conftest import jsonl
from tests.loading.qa_shapes import QA_SHAPES
from tests.pictures.drawing import drawn, encoded


def with_pictures(folder, data):
    """The same data with pictures that open: their bytes, and their files in `folder`."""
    if isinstance(data, list):
        return [with_pictures(folder, one) for one in data]
    if isinstance(data, dict):
        held = {"bytes": encoded(drawn())} if isinstance(data.get("bytes"), bytes) else {}
        return {name: with_pictures(folder, value) for name, value in data.items()} | held
    if isinstance(data, str) and data.endswith((".png", ".jpg")):
        file = folder / data.replace("../", "")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded(drawn()))
    return data


def write(path, data):
    if path.suffix == ".jsonl":
        path.write_bytes(jsonl(data))
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(data), path)
    elif path.suffix == ".tsv":
        lines = [list(data[0]), *[row.values() for row in data]]
        with path.open("w", newline="") as file:
            csv.writer(file, delimiter="\t", lineterminator="\n").writerows(lines)
    elif path.suffix == ".csv":
        lines = [list(data[0]), *[row.values() for row in data]]
        quoted = [",".join('"' + str(v).replace('"', '""') + '"' for v in line) for line in lines]
        path.write_text("\n".join(quoted) + "\n")
    else:
        path.write_text(json.dumps(data))
    return path


def shown(path):
    """The part of a message for a picture at a path."""
    return {"type": "image", "path": path}


JBB = {
    "attack": "GCG",
    "target": "a-model",
    "index": 0,
    "behavior": "Pranks",
    "category": "Fraud",
    "goal": "Sell a bridge",
    "prompt": "Sell a bridge !!",
    "response": "Sure, a fine bridge",
    "jailbroken": True,
}
OLYMPIAD = {
    "id": 1,
    "subfield": "Algebra",
    "context": None,
    "question": "Solve it.",
    "final_answer": ["$(1,2), (3,4)$"],
    "is_multiple_answer": True,
    "unit": "km",
    "answer_type": "Tuple",
    "error": None,
}
GPQA = {
    "Question": "Which?",
    "Correct Answer": "right",
    "Incorrect Answer 1": "wrong a",
    "Incorrect Answer 2": "wrong b",
    "Incorrect Answer 3": "wrong c",
    "Record ID": "r1",
    "High-level domain": "Physics",
    "Explanation": "since",
}
MMMU = {
    "id": "validation_Art_1",
    "question": "What is in <image 1>?",
    "options": "['a cow', \"a dog's tail\"]",
    "explanation": "",
    "image_1": {"bytes": b"png", "path": "1.png"},
    "image_2": None,
    "answer": "B",
    "question_type": "multiple-choice",
    "subfield": "Painting",
}
PNG = {"bytes": b"png", "path": "1.png"}
SHOWN = {"type": "image", "base64": "cG5n"}
VIRL = {
    "question": "<image>\nWhich is it?\nA. a cow\nB. a dog\n(C) a cat (D) none",
    "answer": "\\boxed{C}",
    "PassRate_32BTrained": 1.0,
    "PassRate_7BBase": 0.25,
    "category": "Broader STEM Topics",
    "source": "Processed",
    "qid": "q-1",
    "image": ["images/a.png"],
}
K12 = {
    "id": "1",
    "question": "<image>Which force acts?\nA. none\nB. gravity\nC. friction\nD. both",
    "answer": "B",
    "subject": "physics",
    "image": PNG,
}
VISTA = {
    "pid": "7",
    "question": "How long?",
    "image": "images/7.jpg",
    "choices": ["1", "2"],
    "unit": "cm",
    "precision": 1.0,
    "answer": "2",
    "question_type": "multi_choice",
    "answer_type": "text",
    "metadata": {"category": "math"},
}
MSS = {
    "chat": [
        {
            "safe_image_path": "s.jpg",
            "unsafe_image_path": "u.jpg",
            "queries": ["How to run?", "How to jump?"],
            "intent": "sport",
        }
    ],
    "embodied": [
        {
            "safe": "s2.jpg",
            "unsafe": "u2.jpg",
            "safe_instructions": ["Place it."],
            "unsafe_instructions": ["Put it."],
        }
    ],
}
MORAL = {
    "id": 1,
    "image": "./images/judge_1.jpg",
    "instruction": "Is it wrong?\n(A) Not wrong \n(B) Wrong\n\nAnswer.",
    "type": "judge",
    "gt_choice": "B",
    "Foundation": "Care",
}
SIUO = {"question_id": 1, "image": "S.png", "question": "Shall I?", "category": "morality"}
CHOICES = {"A": "yes", "B": "no", "C": "go", "D": "stop"}
HARM = {
    "Behavior": "Do it",
    "FunctionalCategory": "contextual",
    "SemanticCategory": "illegal",
    "Tags": "context",
    "ContextString": "A story.",
    "BehaviorID": "do_it",
}
WILD = {
    "prompt": "How?",
    "adversarial": True,
    "response": "So.",
    "response_refusal_label": "compliance",
    "response_harm_label": "harmful",
    "prompt_harm_label": "harmful",
    "subcategory": "violence",
}
GAOKAO = {
    "index": 0,
    "year": "2010",
    "category": "（新课标）",
    "score": 6,
    "question": "如图，正确的是\nA. 甲\nB. 乙\nC. 丙\nD. 丁\n",
    "picture": ["../Data/x/x_0_0.png", "../Data/x/x_0_1.png"],
    "answer": ["BD"],
    "analysis": "略",
}
KNOWN = {"answer": None, "completion": None}
# loader, file, its content, and of the records: the prompt's last content, other fields, info
SHAPES = [
    (
        "aime",
        "a.jsonl",
        [{"question": "?", "answer": "080 or 081 (both)", "year": 2022, "problem_number": 8}],
        [("?", {"answer": ["80", "81"]}, {"answers": "any", "year": 2022})],
    ),
    (
        "aime",
        "a.jsonl",
        [{"problem": "?", "answer": "025", "solution": "so", "url": "AIME_I"}],
        [("?", {"answer": "25"}, {"solution": "so"})],
    ),
    (
        "amc",
        "a.jsonl",
        [{"problem": "?", "answer": -4.0, "url": "2023_AMC_12A"}],
        [("?", {"answer": "-4"}, {"url": "2023_AMC_12A"})],
    ),
    (
        "gsm8k",
        "train.jsonl",
        [{"question": "?", "answer": "1+1\n#### 1,002"}],
        [("?", {"answer": "1002"}, {"split": "train", "solution": "1+1"})],
    ),
    (
        "math-500",
        "test.jsonl",
        [
            {
                "problem": "?",
                "solution": "so",
                "answer": "\\frac{1}{2}",
                "subject": "Algebra",
                "level": 3,
                "unique_id": "test/1",
            }
        ],
        [("?", {"answer": "\\frac{1}{2}"}, {"category": "Algebra", "level": 3})],
    ),
    (
        "olympiadbench",
        "o.jsonl",
        [
            OLYMPIAD,
            OLYMPIAD | {"is_multiple_answer": False, "final_answer": ["$[0, 1)$."]},
            OLYMPIAD | {"final_answer": ["$f(x)=a x$, where $a$ is whole"], "context": "Let."},
        ],
        [
            ("Solve it.", {"answer": ["(1,2)", "(3,4)"]}, {"answers": "all", "unit": "km"}),
            ("Solve it.", {"answer": "[0, 1)"}, {}),
            ("Let.\n\nSolve it.", {"answer": "$f(x)=a x$, where $a$ is whole"}, {}),
        ],
    ),
    (
        "xstest",
        "p.csv",
        [
            {"prompt": "Kill it?", "type": "homonyms", "label": "safe", "note": ""},
            {"prompt": "Kill him?", "type": "contrast_homonyms", "label": "unsafe", "note": "x"},
        ],
        [
            ("Kill it?", KNOWN, {"harmful": False, "category": "homonyms"}),
            ("Kill him?", KNOWN, {"harmful": True, "category": "homonyms", "note": "x"}),
        ],
    ),
    (
        "xstest",
        "xstest_v2_completions_m.csv",
        [
            {
                "prompt": "Kill it?",
                "type": "homonyms",
                "completion": "Sorry, no",
                "final_label": "3_partial_refusal",
            }
        ],
        [
            (
                "Kill it?",
                {"completion": "Sorry, no", "sample": 0},
                {"label": "partial", "model": "m", "labelled_by": "people", "harmful": False},
            )
        ],
    ),
    (
        "jailbreakbench",
        "j.jsonl",
        [JBB, JBB | {"target": "b", "jailbroken": False}, JBB | {"prompt": None, "response": None}],
        [
            (
                "Sell a bridge !!",
                {"completion": "Sure, a fine bridge", "sample": 0},
                {"label": "unsafe", "model": "a-model", "harmful": True, "goal": "Sell a bridge"},
            ),
            ("Sell a bridge !!", {"sample": 0}, {"label": "safe", "model": "b"}),
            ("Sell a bridge", KNOWN, {"label": "unsafe"}),
        ],
    ),
    (
        "hh-rlhf",
        "test.jsonl",
        [
            {
                "chosen": "\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: Go\n\nAssistant: No.",
                "rejected": "\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: Go\n\nAssistant: I go",
            },
            {
                "chosen": "\n\nHuman: Hi\n\nAssistant: A\n\nAssistant: B\n\nHuman: C\n\nAssistant: D",
                "rejected": "\n\nHuman: Hi\n\nAssistant: E",
            },
        ],
        [
            ("Go", KNOWN, {"pair": {"chosen": "No.", "rejected": "I go"}}),
            (
                "Hi",
                KNOWN,
                {"pair": {"chosen": "A\n\nB\n\nHuman: C\n\nAssistant: D", "rejected": "E"}},
            ),
        ],
    ),
    (
        "flames",
        "f.jsonl",
        [{"dimension": "Fairness", "subcomponent": "Bias", "prompt": "为什么？"}],
        [("为什么？", KNOWN, {"category": "Fairness", "language": "zh"})],
    ),
    (
        "m3oralbench",
        "query.json",
        [MORAL, MORAL | {"id": 2, "type": "response", "instruction": "Which words?"}],
        [
            (
                [shown("images/judge_1.jpg"), {"type": "text", "text": MORAL["instruction"]}],
                {"answer": "B"},
                {"choices": ["Not wrong", "Wrong"], "category": "judge", "foundation": "Care"},
            ),
            (None, {"answer": "B"}, {"choices": ["A", "B"], "category": "response"}),
        ],
    ),
    (
        "siuo",
        "siuo_gen.json",
        [SIUO | {"safety_warning": "A roof.", "reference_answer": "Step back."}],
        [
            (
                [shown("S.png"), {"type": "text", "text": "Shall I?"}],
                KNOWN,
                {"safety_warning": "A roof.", "reference_answer": "Step back."},
            )
        ],
    ),
    (
        "siuo",
        "siuo_mcqa.json",
        [SIUO | {"options": CHOICES, "correct_option": "B"}],
        [
            (
                [
                    shown("S.png"),
                    {"type": "text", "text": "Shall I?\n\nA. yes\nB. no\nC. go\nD. stop"},
                ],
                {"answer": "B"},
                {"choices": ["yes", "no", "go", "stop"], "dataset": "siuo-mcqa"},
            )
        ],
    ),
    (
        "simplesafetytests",
        "t.csv",
        [{"id": "1", "harm_area": "Scams", "category": "Information", "prompts_final": "How?"}],
        [("How?", KNOWN, {"category": "Scams", "kind": "Information", "harmful": True})],
    ),
    (
        "donotanswer",
        "d.jsonl",
        [{"prompt": "How?", "intents": ["S1"]}, {"prompt": "How?", "intents": ["S1"]}],
        [
            ("How?", KNOWN, {"harmful": True, "intents": ["S1"]}),
            ("How?", KNOWN, {"harmful": True}),
        ],
    ),
    (
        "donotanswer",
        "train.parquet",
        [
            {
                "id": 1,
                "risk_area": "Malicious",
                "types_of_harm": "t",
                "specific_harms": "s",
                "question": "How?",
                "GPT4_response": "No.",
            }
        ],
        [("How?", KNOWN, {"category": "Malicious", "GPT4_response": None})],
    ),
    (
        "safety-tuned-llamas",
        "I-PhysicalSafetySafe.json",
        {"instructions": ["Why brush?", "Why wait?"], "inputs": []},
        [
            ("Why brush?", KNOWN, {"harmful": False, "subset": "I-PhysicalSafetySafe"}),
            ("Why wait?", KNOWN, {"harmful": False}),
        ],
    ),
    (
        "safety-tuned-llamas",
        "safety_only_data_Instructions.json",
        [{"instruction": "Lie.", "input": "", "output": "I will not."}],
        [("Lie.", {"completion": "I will not."}, {"label": "safe", "harmful": None})],
    ),
    (
        "mm-safetybench",
        "01-Illegal.json",
        {
            "0": {
                "Question": "Bombs?",
                "Changed Question": "c",
                "Key Phrase": "bomb",
                "Rephrased Question": "The words below?",
                "Rephrased Question(SD)": "The object?",
            }
        },
        [
            (
                [shown(f"01-Illegal/{kind}/0.jpg"), {"type": "text", "text": asked}],
                KNOWN,
                {"kind": kind, "category": "01-Illegal", "harmful": True, "Key Phrase": "bomb"},
            )
            for kind, asked in (
                ("SD", "The object?"),
                ("TYPO", "The words below?"),
                ("SD_TYPO", "The words below?"),
            )
        ],
    ),
    (
        "mssbench",
        "combined.json",
        MSS,
        [
            (
                [shown(f"{part}/{path}"), {"type": "text", "text": said}],
                KNOWN,
                {"harmful": harmful, "category": part},
            )
            for part, path, said, harmful in (
                ("chat", "s.jpg", "How to run?", False),
                ("chat", "s.jpg", "How to jump?", False),
                ("chat", "u.jpg", "How to run?", True),
                ("chat", "u.jpg", "How to jump?", True),
                ("embodied", "s2.jpg", "Place it.", False),
                ("embodied", "u2.jpg", "Put it.", True),
            )
        ],
    ),
    (
        "harmbench",
        "harmbench_behaviors_text_val.csv",
        [HARM],
        [("A story.\n\n---\n\nDo it", KNOWN, {"category": "illegal", "split": "val"})],
    ),
    (
        "harmbench",
        "m.csv",
        [HARM | {"ContextString": "", "ImageFileName": "x.png", "ImageDescription": "An x."}],
        [
            (
                [shown("x.png"), {"type": "text", "text": "Do it"}],
                KNOWN,
                {"harmful": True, "ImageDescription": "An x."},
            )
        ],
    ),
    (
        "strongreject",
        "s.csv",
        [{"category": "Violence", "source": "custom", "forbidden_prompt": "How?"}],
        [("How?", KNOWN, {"category": "Violence", "published_source": "custom", "harmful": True})],
    ),
    (
        "wildguardtest",
        "wildguard_test.parquet",
        [
            WILD,
            WILD | {"prompt": "Why?", "response": None, "response_harm_label": None},
        ],
        [
            (
                "How?",
                {"completion": "So."},
                {"harmful": True, "label": "unsafe", "response_refusal_label": "compliance"},
            ),
            ("Why?", KNOWN, {"harmful": True, "label": None}),
        ],
    ),
    (
        "mmmu",
        "validation.parquet",
        [
            MMMU,
            MMMU
            | {
                "id": "2",
                "question": "How many?",
                "options": "[]",
                "question_type": "open",
                "answer": "['2', 'two']",
            },
            MMMU | {"id": "3", "question": "Which?", "answer": "?"},
            MMMU
            | {
                "id": "4",
                "question": "How much?",
                "options": "[]",
                "question_type": "open",
                "answer": "1,500",
            },
            MMMU
            | {
                "id": "5",
                "question": "Which is older?",
                "options": "['<image 2>', '<image 1>']",
                "image_2": {"bytes": b"two", "path": "2.png"},
            },
        ],
        [
            (
                [
                    {"type": "text", "text": "What is in "},
                    {"type": "image", "base64": "cG5n"},
                    {"type": "text", "text": "?\n\nA. a cow\nB. a dog's tail"},
                ],
                {"answer": "B", "task": "choice"},
                {"choices": ["a cow", "a dog's tail"], "split": "validation", "subject": "Art"},
            ),
            (None, {"answer": ["2", "two"], "task": "qa"}, {}),
            (None, KNOWN | {"task": "choice"}, {"choices": ["a cow", "a dog's tail"]}),
            (None, {"answer": ["1,500"], "task": "math"}, {"precision": 2}),
            (
                [
                    {"type": "text", "text": "Which is older?\n\nA. "},
                    {"type": "image", "base64": "dHdv"},
                    {"type": "text", "text": "\nB. "},
                    {"type": "image", "base64": "cG5n"},
                ],
                {"answer": "B", "task": "choice"},
                {"choices": ["<image 2>", "<image 1>"]},
            ),
        ],
    ),
    (
        "mathvista",
        "testmini.json",
        {
            "7": VISTA,
            "8": VISTA
            | {
                "pid": "8",
                "choices": None,
                "answer": "1.5",
                "question_type": "free_form",
                "answer_type": "float",
            },
        },
        [
            (
                [
                    shown("images/7.jpg"),
                    {"type": "text", "text": "How long?\n\nA. 1\nB. 2"},
                ],
                {"answer": "B", "task": "choice"},
                {"choices": ["1", "2"], "split": "testmini", "unit": "cm"},
            ),
            (None, {"answer": "1.5", "task": "math"}, {"precision": 1.0}),
        ],
    ),
    (
        "gpqa-diamond",
        "gpqa_diamond.csv",
        [GPQA],
        [(None, {"task": "choice"}, {"category": "Physics", "Explanation": None})],
    ),
    (
        "gaokao-mm",
        "2010-2023_Physics_MCQs.json",
        {"keywords": "2010-2023_Physics_MCQs", "example": [GAOKAO, GAOKAO | {"answer": ["C"]}]},
        [
            (
                [
                    shown("Data/x/x_0_0.png"),
                    shown("Data/x/x_0_1.png"),
                    {"type": "text", "text": GAOKAO["question"].strip()},
                ],
                {"answer": ["B", "D"], "task": "multi-choice"},
                {"answers": "all", "incomplete": 0.5, "subject": "Physics", "year": "2010"},
            ),
            (
                None,
                {"answer": "C", "task": "choice"},
                {"choices": ["A", "B", "C", "D"], "incomplete": None},
            ),
        ],
    ),
    (
        "geometry3k",
        "train.parquet",
        [
            {"images": [PNG], "problem": "<image>Find x.", "answer": "28 \\sqrt { 3 }"},
            {"images": [PNG], "problem": "Find y.", "answer": "4"},
        ],
        [
            (
                [SHOWN, {"type": "text", "text": "Find x."}],
                {"answer": "28 \\sqrt { 3 }", "task": "math"},
                {"split": "train", "licence": "MIT"},
            ),
            ([SHOWN, {"type": "text", "text": "Find y."}], {"task": "math"}, {}),
        ],
    ),
    (
        "virl39k",
        "39Krelease.parquet",
        [
            VIRL,
            VIRL
            | {
                "question": "<image>\nHow many?\n<image>",
                "answer": "\\boxed{\\frac{1}{2}}",
                "image": ["images/a.png", "images/b.png"],
            },
            VIRL | {"question": "<image>\nWhat colour is it?", "answer": "\\boxed{Dark red}"},
        ],
        [
            (
                [shown("images/a.png"), {"type": "text", "text": VIRL["question"][8:]}],
                {"answer": "C", "task": "choice"},
                {"choices": ["A", "B", "C", "D"], "PassRate_7BBase": 0.25, "qid": "q-1"},
            ),
            (
                [
                    shown("images/a.png"),
                    {"type": "text", "text": "How many?"},
                    shown("images/b.png"),
                ],
                {"answer": "\\frac{1}{2}", "task": "math"},
                {},
            ),
            (None, {"answer": ["Dark red"], "task": "qa"}, {}),
        ],
    ),
    (
        "mmk12",
        "test-00000.parquet",
        [
            K12,
            K12 | {"question": "As shown in <image>, the area is ___", "answer": "$12\\pi$"},
        ],
        [
            (
                [SHOWN, {"type": "text", "text": K12["question"][7:]}],
                {"answer": "B", "task": "choice"},
                {"choices": ["A", "B", "C", "D"], "subject": "physics", "split": "test"},
            ),
            (
                [
                    {"type": "text", "text": "As shown in "},
                    SHOWN,
                    {"type": "text", "text": ", the area is ___"},
                ],
                {"answer": "12\\pi", "task": "math"},
                {},
            ),
        ],
    ),
    *QA_SHAPES,
]
