"""A small new model that takes pictures: a real architecture of swr1.vision with random weights.

The sizes fit pictures of cells: 8-pixel patches, merged two by two, so that a picture of 48x48 pixels
with 3x3 cells is nine tokens, one a cell. What learns from drawn pictures in minutes at these sizes is
Qwen2.5-VL; the others are for tests of the same path.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from swr1.errors import UsageError

WIDTH, LAYERS, HEADS = 64, 2, 4  # of the vision tower
PATCH, MERGE = 8, 2
CELL = PATCH * MERGE
SIDE = 3 * CELL  # pixels: of a tile, where an architecture has those
MOST_CELLS = 256  # of a picture, where its tokens follow its size; a larger one is scaled down


class Family(NamedTuple):
    """What is special about an architecture.

    Attributes:
        written: what the chat template writes for a picture; its control tokens are in `special`.
        configure: of text configuration and tokenizer, the rest of the model's configuration.
        processor: makes the image processor.
        facts: for transformers' own processor of this architecture, which other programs use.
        names: what the tokenizer calls some of its control tokens, for the same.
    """

    written: str
    special: tuple[str, ...]
    configure: Callable[[dict[str, Any], Any], dict[str, Any]]
    processor: Callable[[], Any]
    facts: Mapping[str, Any] = {}
    names: Mapping[str, str] = {}


def _qwen(text: dict[str, Any], tokenizer: Any, vision: dict[str, Any]) -> dict[str, Any]:
    ids = tokenizer.convert_tokens_to_ids
    half = text["head_dim"] // 2
    # Of the pairs of a head a third each turns with row and column, the rest with time.
    section = [half - 2 * (half // 3), half // 3, half // 3]
    tower = {
        "depth": LAYERS,
        "hidden_size": WIDTH,
        "num_heads": HEADS,
        "intermediate_size": 2 * WIDTH,
        "patch_size": PATCH,
        "spatial_merge_size": MERGE,
        "temporal_patch_size": 1,
        "out_hidden_size": text["hidden_size"],
    }
    rope = text["rope_parameters"] | {"mrope_section": section}
    return {
        "text_config": text | {"rope_parameters": rope},
        "vision_config": tower | vision,
        "image_token_id": ids("<|image_pad|>"),
        "video_token_id": ids("<|video_pad|>"),
        "vision_start_token_id": ids("<|vision_start|>"),
        "vision_end_token_id": ids("<|vision_end|>"),
    }


def _qwen25(text: dict[str, Any], tokenizer: Any) -> dict[str, Any]:
    # Every layer sees the whole picture: windows pay for pictures of thousands of patches.
    return _qwen(text, tokenizer, {"fullatt_block_indexes": list(range(LAYERS))})


def _qwen3(text: dict[str, Any], tokenizer: Any) -> dict[str, Any]:
    more = {"deepstack_visual_indexes": [0], "num_position_embeddings": 64}
    made = _qwen(text, tokenizer, more)
    made["text_config"]["rope_parameters"]["mrope_interleaved"] = True  # vLLM asks for it
    return made


def _tower(**more: Any) -> dict[str, Any]:
    return {
        "hidden_size": WIDTH,
        "intermediate_size": 2 * WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        **more,
    }


def _internvl(text: dict[str, Any], tokenizer: Any) -> dict[str, Any]:
    return {
        "text_config": text | {"model_type": "qwen3"},
        "vision_config": _tower(image_size=[SIDE, SIDE], patch_size=[PATCH, PATCH]),
        "downsample_ratio": 1 / MERGE,
        "image_token_id": tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
    }


def _smolvlm(text: dict[str, Any], tokenizer: Any) -> dict[str, Any]:
    return {
        "text_config": text | {"model_type": "llama"},
        "vision_config": _tower(image_size=SIDE, patch_size=PATCH),
        "scale_factor": MERGE,
        "image_token_id": tokenizer.convert_tokens_to_ids("<image>"),
        "pad_token_id": tokenizer.pad_token_id,
    }


_GREY: dict[str, Any] = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}


def _qwen_processor() -> Any:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    size = {"shortest_edge": CELL**2, "longest_edge": MOST_CELLS * CELL**2}
    return Qwen2VLImageProcessorPil(
        patch_size=PATCH, merge_size=MERGE, temporal_patch_size=1, size=size, **_GREY
    )


def _internvl_processor() -> Any:
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

    return GotOcr2ImageProcessorPil(size={"height": SIDE, "width": SIDE}, max_patches=4, **_GREY)


def _smolvlm_processor() -> Any:
    from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

    return SmolVLMImageProcessorPil(
        size={"longest_edge": 2 * SIDE}, max_image_size={"longest_edge": SIDE}, **_GREY
    )


_QWEN_TOKENS = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
_QWEN_WRITES = "<|vision_start|><|image_pad|><|vision_end|>"
_FEATURES = (SIDE // PATCH // MERGE) ** 2  # of a tile
_TILES = tuple(f"<row_{r}_col_{c}>" for r in (1, 2) for c in (1, 2))
FAMILIES = {
    "qwen2_5_vl": Family(_QWEN_WRITES, _QWEN_TOKENS, _qwen25, _qwen_processor),
    "qwen3_vl": Family(_QWEN_WRITES, _QWEN_TOKENS, _qwen3, _qwen_processor),
    "internvl": Family(
        "<IMG_CONTEXT>\n",
        ("<img>", "</img>", "<IMG_CONTEXT>", "<video>"),
        _internvl,
        _internvl_processor,
        {"processor_class": "InternVLProcessor", "image_seq_length": _FEATURES},
        {
            "start_image_token": "<img>",
            "end_image_token": "</img>",
            "context_image_token": "<IMG_CONTEXT>",
            "video_token": "<video>",
        },
    ),
    "smolvlm": Family(
        "<image>",
        ("<fake_token_around_image>", "<global-img>", "<image>", *_TILES),
        _smolvlm,
        _smolvlm_processor,
        {"processor_class": "SmolVLMProcessor", "image_seq_len": _FEATURES},
    ),
}


def chat_template(family: Family) -> str:
    """ChatML whose content may be a text, or parts: pictures and texts."""
    return (
        "{% for message in messages %}"
        "<|im_start|>{{ message['role'] }}\n"
        "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
        "{% for part in message['content'] %}"
        "{% if part['type'] == 'image' %}"
        + family.written
        + "{% else %}{{ part['text'] }}{% endif %}"
        "{% endfor %}{% endif %}<|im_end|>\n"
        "{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )


def family_of(architecture: str) -> Family | None:
    """What is special about an architecture that takes pictures; None for one of texts."""
    return FAMILIES.get(architecture)


def make_model(architecture: str, text: dict[str, Any], tokenizer: Any) -> Any:
    """A model of this architecture around a decoder's configuration, with its eyes; the weights are
    drawn from torch's present seed.

    Raises UsageError for sizes that cannot be.
    """
    from transformers import AutoConfig, AutoModelForImageTextToText

    from swr1.vision import Vision

    family = FAMILIES[architecture]
    if text["head_dim"] < 6:
        raise UsageError("a model that takes pictures needs at least 6 numbers per attention head")
    config = AutoConfig.for_model(
        architecture,
        tie_word_embeddings=text["tie_word_embeddings"],
        **family.configure(text, tokenizer),
    )
    model = AutoModelForImageTextToText.from_config(config)
    model.swr1_vision = Vision(config, family.processor(), tokenizer, family.facts)
    return model
