"""Hypothesis strategies for records: known fields, unknown ones, and odd values among them."""

import numpy as np
from hypothesis import strategies as st

from swr1.records import float32_list

texts = st.text(st.characters(codec="utf-8"), max_size=12)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
json = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(texts, json, max_size=3)
messages = st.lists(st.fixed_dictionaries({"role": texts, "content": json}), max_size=2)


@st.composite
def generations(draw):
    length = draw(st.integers(0, 4))
    floats = st.lists(st.floats(-100, 0, width=32), min_size=length, max_size=length).map(
        lambda xs: float32_list(np.array(xs, dtype=np.float32))
    )
    odd_floats = st.lists(st.floats(-9, 9), min_size=length, max_size=length)
    ints = st.lists(st.integers(0, 2**40), min_size=length, max_size=length)
    return draw(
        st.fixed_dictionaries(
            {},
            optional={
                "epoch": st.integers(0, 9),
                "group": st.integers(1, 9),
                "prefill": texts,
                "policy": objects,
                "sampling": objects,
                "prompt_ids": st.lists(st.integers(0, 99), max_size=3),
                "token_ids": ints,
                "logprobs": floats | odd_floats,
                "loss_mask": ints,
                "finish_reason": texts,
                "unknown": json,
            },
        )
    )


records = st.builds(
    lambda known, more: {**more, **known},
    st.fixed_dictionaries(
        {"id": texts},
        optional={
            "v": st.just(1),
            "task": texts,
            "prompt": messages,
            "answer": json,
            "info": objects,
            "sample": st.integers(0, 2**70),
            "completion": texts,
            "generation": generations(),
            "verdicts": objects,
            "reward": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-5, 5),
            "trail": objects,
        },
    ),
    st.dictionaries(texts.map(lambda t: f"x{t}"), json, max_size=2),
)
