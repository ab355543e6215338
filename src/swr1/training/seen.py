"""The pictures of a sampled record, opened again and compared with what the record says of them."""

from typing import Any

from swr1.errors import DataError
from swr1.picture_parts import parts
from swr1.vision import SeenPicture, Vision


def sampled_pictures(record: dict[str, Any], vision: Vision | None) -> tuple[SeenPicture, ...]:
    """The pictures of a record's prompt, in their order; none of a text.

    Whoever trains on a record must see what the policy saw when it was sampled. Raises DataError,
    without the record's name, where a picture is missing, is another, or has become another number of
    tokens, and where a completion holds a token that stands for one.
    """
    generation = record.get("generation") or {}
    shown, said = parts(record.get("prompt") or []), generation.get("pictures") or []
    if not vision:
        if shown or said:
            raise DataError("its prompt has pictures, and this policy takes none")
        return ()
    prompt, tokens = generation.get("prompt_ids") or [], generation.get("token_ids") or []
    if written := set(vision.forbidden).intersection(tokens):
        raise DataError(
            f"`generation.token_ids` has {min(written)}, which stands for a picture: no policy may"
            " write it, and its log-probability means nothing"
        )
    places = prompt.count(vision.token)
    if not len(shown) == len(said) == places:
        raise DataError(
            f"{len(shown)} pictures in `prompt`, {len(said)} in `generation.pictures` and {places}"
            " placeholders in `generation.prompt_ids`: these must be equal"
        )
    seen = vision.see(shown)
    for number, (now, then) in enumerate(zip(seen, said, strict=True), 1):
        facts = now.facts()
        for name, value in facts.items():
            if then.get(name) != value:
                raise DataError(
                    f"picture {number} has {name} {value} here, and had {then.get(name)!r} when the"
                    " record was sampled: another picture, or another image processor"
                )
    return seen
