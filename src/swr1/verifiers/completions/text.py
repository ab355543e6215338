"""The assistant's text and its four tags, which every verifier of a reasoned answer starts from.

What a template or a tokenizer puts around a turn is not part of its text. `bare` removes it from
completions that other people decoded with it.
"""

import re

from swr1.errors import DataError
from swr1.records import CUT, Record

INVISIBLE = dict.fromkeys(  # characters that read as nothing, for str.translate
    [
        *(0x00AD, 0xFEFF),
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
        *range(0xFE00, 0xFE10),
        *range(0xE0000, 0xE0080),
    ]
)
# Where turns begin and end, and padding, as families of models write it.
EDGE_TOKEN = re.compile(
    # <|im_end|>, <|endoftext|>, <|eot_id|>, <|finetune_right_pad_id|>, <|END_OF_TURN_TOKEN|>,
    # <|return|>, <｜end▁of▁sentence｜>, <|begin_of_text|>, <|user|>; of EXAONE [|endofturn|]
    r"[<\[][|｜](?:[a-z0-9]{1,20}[_▁ ]|[▁ ]){0,3}"
    r"(?:end|eo[a-z]|pad|begin|bos|start|return|call|user|assistant|observation|separator)"
    r"[\w▁ ]{0,30}[|｜][>\]]"
    # </s>, <eos>, <pad>, <end_of_turn>, <EOS_TOKEN>, <eoa>, <seed:eos>, <turn|>, <reserved_106>
    r"|</?s>|<\|?(?:seed:)?(?:[be]os|eo[amtd]|pad|unk|im_end|(?:end|start)_?of_?(?:turn|text|sentence))"
    r"(?:_token)?\|?>|<\|?turn\|?>|<(?:reserved|extra_id|special|unused)_?\d{1,3}>"
    # [PAD], [EOS], [SEP]; [e~[ of MiniMax, [UNUSED_TOKEN_145] of InternLM
    r"|\[(?:pad|[be]os|eot|unk|sep|cls|unused_token_\d{1,3})\]|\[e~\[",
    re.IGNORECASE,
)
TURN_HEADER = re.compile(  # how a turn of the assistant's begins
    r"(?:<\|im_start\|>|<start_of_turn>|<\|turn>)(?:assistant|model)\r?\n"
    r"|<\|start_header_id\|>assistant<\|end_header_id\|>|<\|header_start\|>assistant<\|header_end\|>"
    r"|<\|start_of_role\|>assistant<\|end_of_role\|>",
    re.IGNORECASE,
)
_BLANK = re.compile(rf"[\s{''.join(map(chr, INVISIBLE))}]*")
_LONGEST = 100  # characters of a token, at most


def bare(text: str) -> str:
    """The text without control tokens, invisible characters and white space at its ends."""
    start, end = 0, len(text)
    while True:
        start = _BLANK.match(text, start).end()  # type: ignore[union-attr]  # matches anything
        token = TURN_HEADER.match(text, start) or EDGE_TOKEN.match(text, start)
        if not token:
            break
        start = token.end()
    while end > start:
        if text[end - 1].isspace() or ord(text[end - 1]) in INVISIBLE:
            end -= 1
            continue
        *_, last = [None, *EDGE_TOKEN.finditer(text, max(start, end - _LONGEST), end)]
        if last is None or last.end() != end:
            break
        end = last.start()
    return text[start:end]


def assistant_text(record: Record, prefill: str = "", *, raw: bool = False) -> str:
    """The assistant's whole turn: how the prompt opened it, then the completion.

    `prefill` is used for a record without `generation.prefill`, such as somebody else's JSONL
    whose prompts ended with "<think>". What ends or pads a turn is left out, unless `raw`.
    Raises DataError when there is no completion.
    """
    completion = record.get("completion")
    if not isinstance(completion, str):
        raise DataError(
            f"record {record.get('id')!r} has no 'completion' to judge: `swr1 rollout` adds it"
        )
    opened = (record.get("generation") or {}).get("prefill")
    text = (prefill if opened is None else opened) + completion
    return text if raw else bare(text)


def is_truncated(record: Record) -> bool:
    """Whether the completion was cut at a limit: of length, context or calls of tools."""
    return (record.get("generation") or {}).get("finish_reason") in CUT


def prompt_text(record: Record) -> str:
    """The prompt's messages as one text, a line break between them; images are left out."""
    return "\n".join([content_text(message) for message in record.get("prompt") or ()])


def content_text(message: dict) -> str:
    """The text of one chat message, whose content is a text or a list of parts."""
    content = message.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""
