"""How vision-language models take pictures: one small table, and what is computed from it.

    vision = load_vision(folder, tokenizer)       # swr1.models; None for a model of texts
    seen = vision.see(parts)                      # the pictures of a prompt, opened and measured
    ids = vision.expand(prompt_ids, seen)         # what the model reads
    model(input_ids=..., **vision.tensors(seen))

A prompt is kept unexpanded: one placeholder stands for a picture, as the chat template writes it.
Here it becomes as many tokens as the picture has for this model, the same everywhere: in the engine
`hf`, in training and in the probe. Pixels are made by the model's own image processor, on the
backend PIL (torchvision resizes differently).

A picture is opened by swr1.pictures and nowhere else; an image processor gets its pixels only.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from swr1.errors import DataError, SwrError
from swr1.pictures import Opener

PROCESSOR = "processor_config.json"  # of transformers' processors, which are of no use here
HELD = 2**28  # bytes of pixels kept, so that a picture is processed once for all that read it


@dataclass(frozen=True, slots=True)
class SeenPicture:
    """A picture as a model reads it; its pixels are made when they are needed.

    Attributes:
        part: the record's part, by which it can be opened again. size: height and width, pixels.
        placeholder: the token id that stands for it in an unexpanded prompt, and in `becomes` for each
            of its features. becomes: the ids that the model reads in its place.
        grid: rows and columns of the features, for models with positions in three dimensions.
    """

    part: Mapping[str, Any]
    digest: str
    size: tuple[int, int]
    placeholder: int
    becomes: tuple[int, ...]
    grid: tuple[int, int] | None = None

    @property
    def features(self) -> int:
        """How many features of the vision tower it has."""
        return self.becomes.count(self.placeholder)

    def facts(self) -> dict[str, Any]:
        """As it stands in a record's `generation.pictures`."""
        return {"digest": self.digest, "tokens": len(self.becomes), "size": list(self.size)}


class Architecture(NamedTuple):
    """How one family of models takes pictures.

    Attributes:
        tower: the name of the vision tower in the model's body.
        becomes: of the processor's output for one picture, the token ids in its place, and the grid.
        options: of the image processor's call.
        counts: the processor's outputs that are for counting and not for the model.
        along: the dimension along which the pixels of several pictures are put together.
    """

    tower: str
    becomes: Callable[[Vision, Mapping[str, Any]], tuple[list[int], tuple[int, int] | None]]
    options: Mapping[str, Any] = {}
    counts: tuple[str, ...] = ()
    along: int = 0


def _qwen(vision: Vision, made: Mapping[str, Any]) -> tuple[list[int], tuple[int, int]]:
    """A token for every cell of merged patches; rows and columns have positions of their own."""
    merge = vision.config.vision_config.spatial_merge_size
    _, rows, columns = (int(n) for n in made["image_grid_thw"][0])
    grid = rows // merge, columns // merge
    return [vision.token] * (grid[0] * grid[1]), grid


def _internvl(vision: Vision, made: Mapping[str, Any]) -> tuple[list[int], None]:
    """As many tokens for every tile, between two marks that the template does not write."""
    of = vision.config.vision_config
    side, patch = (n if isinstance(n, int) else n[0] for n in (of.image_size, of.patch_size))
    tile = int((side // patch) ** 2 * vision.config.downsample_ratio**2)
    features = [vision.token] * (tile * int(made["num_patches"][0]))
    return [*vision.ids("<img>"), *features, *vision.ids("</img>")], None


def _idefics(vision: Vision, made: Mapping[str, Any]) -> tuple[list[int], None]:
    """Each tile behind its place, row by row, then the whole picture."""
    of = vision.config.vision_config
    tile = (of.image_size // of.patch_size) ** 2 // vision.config.scale_factor**2
    edge, image = "<fake_token_around_image>", vision.name * tile
    rows, columns = int(made["rows"][0][0]), int(made["cols"][0][0])
    text = "".join(
        "".join(f"{edge}<row_{r + 1}_col_{c + 1}>{image}" for c in range(columns)) + "\n"
        for r in range(rows)
    )
    text += "\n" * bool(text) + f"{edge}<global-img>{image}{edge}"
    return vision.ids(text), None


QWEN_VL = Architecture("visual", _qwen)
# The processor of InternVL cuts large pictures into tiles whatever the folder says of it.
INTERNVL = Architecture("vision_tower", _internvl, {"crop_to_patches": True}, ("num_patches",))
IDEFICS = Architecture(
    "vision_model", _idefics, {"return_row_col_info": True}, ("rows", "cols"), along=1
)
ARCHITECTURES = {
    "qwen2_5_vl": QWEN_VL,
    "qwen3_vl": QWEN_VL,
    "internvl": INTERNVL,
    "smolvlm": IDEFICS,
    "idefics3": IDEFICS,
}


def expand(ids: Sequence[int], token: int, pictures: Sequence[Sequence[int]]) -> list[int]:
    """Token ids in which the n-th `token` has become the ids of the n-th picture.

    Raises ValueError where there are more of one than of the other.
    """
    places = [-1, *(i for i, n in enumerate(ids) if n == token), len(ids)]
    if len(places) - 2 != len(pictures):
        raise ValueError(f"{len(places) - 2} placeholders and {len(pictures)} pictures")
    out: list[int] = []
    for (before, at), becomes in zip(pairwise(places), [*pictures, ()], strict=True):
        out += [*ids[before + 1 : at], *becomes]
    return out


def collapse(ids: Sequence[int], pictures: Sequence[SeenPicture]) -> list[int]:
    """The unexpanded ids of expanded ones: the inverse of `expand`."""
    out: list[int] = []
    at = 0
    for picture in pictures:
        becomes, n = list(picture.becomes), len(picture.becomes)
        first = next(i for i in range(at, len(ids)) if list(ids[i : i + n]) == becomes)
        out += [*ids[at:first], picture.placeholder]
        at = first + n
    return [*out, *ids[at:]]


def takes_pictures(config: Any) -> bool:
    """Whether a model of this configuration is opened with its eyes."""
    return getattr(config, "model_type", None) in ARCHITECTURES


def text_attention(model: Any) -> str:
    """The name of the attention that the model's text tower has."""
    return model.config.get_text_config()._attn_implementation


def set_text_attention(model: Any, name: str) -> None:
    """Give the text tower an attention of this name; a vision tower keeps its own.

    Raises what transformers raises for a model that cannot have it.
    """
    if takes_pictures(model.config):
        model.set_attn_implementation({"text_config": name})
    else:
        model.set_attn_implementation(name)


class Vision:
    """The eyes of one model: its image processor, and how a picture becomes tokens.

    Attributes:
        token: the id of the placeholder, which is also that of every feature of a picture.
        spatial: whether tokens have positions in three dimensions.
        forbidden: ids that no completion may hold: a picture would belong to each.
        opener: opens pictures; who knows folders and limits puts another in its place.
        facts: of the image processor, for a record's `generation.engine`.
        beside: what stands in `processor_config.json` for other programs; {}: there is none.

    Raises SwrError for a folder whose parts do not belong together.
    """

    def __init__(
        self, config: Any, processor: Any, tokenizer: Any, beside: Mapping[str, Any] | None = None
    ) -> None:
        self.beside = dict(beside or {})
        self.config, self.processor, self.tokenizer = config, processor, tokenizer
        self.kind = ARCHITECTURES[config.model_type]
        self.spatial = self.kind is QWEN_VL
        self.token = int(config.image_token_id)
        others = [getattr(config, "video_token_id", None)]
        rows = config.get_text_config().vocab_size
        self.forbidden = sorted(
            {self.token, *(n for n in others if isinstance(n, int) and 0 <= n < rows)}
        )
        self.name = str(tokenizer.convert_ids_to_tokens(self.token))
        if not 0 < self.token < len(tokenizer):
            raise SwrError(
                f"image_token_id {self.token} of the configuration is no token of the tokenizer's"
                f" {len(tokenizer)}"
            )
        self.facts = {"class": type(processor).__name__, "backend": "pil"}
        self.opener = Opener()
        self._held: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._bytes = 0

    def __deepcopy__(self, memo: Any) -> Vision:
        return self  # a copy of a model has the same eyes

    @property
    def settings(self) -> dict[str, Any]:
        """How pixels are made of a picture."""
        return self.processor.to_dict()

    def ids(self, text: str) -> list[int]:
        """Token ids of what stands around a picture's features."""
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def see(self, parts: Sequence[Mapping[str, Any]]) -> tuple[SeenPicture, ...]:
        """The pictures of a prompt's parts. Raises DataError for one that cannot be used."""
        most = self.opener.limits.each
        if len(parts) > most:
            raise DataError(f"{len(parts)} pictures in a prompt, and {most} are the most")
        seen = []
        for number, part in enumerate(parts, 1):
            picture = self.opener.resolve(dict(part), number)
            seen.append(self.look(picture.image, picture.digest, part))
        return tuple(seen)

    def look(self, image: Any, digest: str, part: Mapping[str, Any]) -> SeenPicture:
        """A picture that is open: `image` of PIL, in RGB."""
        becomes, grid = self.kind.becomes(self, self._process(image, digest))
        size = image.size[1], image.size[0]
        return SeenPicture(part, digest, size, self.token, tuple(becomes), grid)

    def _process(self, image: Any, digest: str) -> dict[str, Any]:
        """The processor's output for one picture, kept for a while."""
        if digest in self._held:
            self._held.move_to_end(digest)
            return self._held[digest]
        try:
            made = dict(self.processor(images=[image], return_tensors="pt", **self.kind.options))
        except ValueError as error:  # a side ratio that it does not take
            raise DataError(
                f"a picture of {image.size[0]}x{image.size[1]} pixels: {error}"
            ) from None
        if self.kind is IDEFICS and not made["pixel_values"].flatten(2).any(-1).all():
            raise DataError(
                "a picture (or a tile of it) whose normalised pixels are all 0, which this"
                " architecture takes for none"
            )
        self._held[digest] = made
        self._bytes += _size(made)
        while self._bytes > HELD and len(self._held) > 1:
            self._bytes -= _size(self._held.popitem(last=False)[1])
        return made

    def tensors(self, pictures: Sequence[SeenPicture], device: Any = None) -> dict[str, Any]:
        """What the model is called with beside token ids, pictures in the order of their placeholders;
        nothing for none.

        Raises DataError for a picture that is no longer what it was.
        """
        import torch

        made = [self._pixels(picture) for picture in pictures]
        names = [name for name in (made[0] if made else ()) if name not in self.kind.counts]
        return {
            name: torch.cat(
                [m[name] for m in made], 0 if name == "image_grid_thw" else self.kind.along
            ).to(device)
            for name in names
        }

    def _pixels(self, picture: SeenPicture) -> dict[str, Any]:
        if picture.digest in self._held:
            self._held.move_to_end(picture.digest)
            return self._held[picture.digest]
        return self._process(self.image(picture), picture.digest)

    def image(self, picture: SeenPicture) -> Any:
        """The picture itself, of PIL, opened again. Raises DataError for one that is no longer what it was."""
        again = self.opener.resolve(dict(picture.part))
        if again.digest != picture.digest:
            raise DataError(
                f"a picture has changed: it was {picture.digest}, and is {again.digest}"
            )
        return again.image

    def expand(self, ids: Sequence[int], pictures: Sequence[SeenPicture]) -> list[int]:
        """Token ids as the model reads them. Raises DataError for another number of placeholders."""
        try:
            return expand(ids, self.token, [p.becomes for p in pictures])
        except ValueError as error:
            raise DataError(f"the prompt has {error}") from None

    def check(self, ids: Any, pictures: Sequence[SeenPicture]) -> None:
        """Raises SwrError where expanded ids [T] (a tensor) and pictures do not belong together.

        A model that is called without pixels reads its placeholders as words, and says nothing.
        """
        tokens, features = int((ids == self.token).sum()), sum(p.features for p in pictures)
        if tokens != features:
            raise SwrError(
                f"a sequence has {tokens} tokens of pictures, and pixels for {features}: the policy"
                " would be blind, so nothing is computed"
            )

    def positions(self, ids: Any, pictures: Sequence[SeenPicture]) -> Any:
        """[3, T] (time, row, column) of expanded ids [T], for a model that is `spatial`.

        Text counts on in all three; a picture's features have one time and their place in the grid,
        and what follows begins behind its longer side (as in Qwen2-VL, arXiv 2409.12191, 2.1).
        """
        import torch

        parts, at, now, seen = [], 0, 0, 0
        places = (ids == self.token).nonzero()[:, 0].tolist()
        for picture in pictures:
            first = places[seen]
            seen += picture.features
            rows, columns = picture.grid or (0, 0)
            parts.append(torch.arange(now, now + first - at).expand(3, -1))
            now += first - at
            row = torch.arange(rows).repeat_interleave(columns)
            column = torch.arange(columns).repeat(rows)
            parts.append(torch.stack([torch.zeros_like(row), row, column]) + now)
            now += max(rows, columns)
            at = first + picture.features
        parts.append(torch.arange(now, now + len(ids) - at).expand(3, -1))
        return torch.cat(parts, 1)

    def save(self, folder: Path) -> None:
        """Write the image processor into a model folder, and what stands beside it."""
        self.processor.save_pretrained(folder)
        if self.beside:
            (folder / PROCESSOR).write_text(json.dumps(self.beside, indent=2) + "\n")


def tower_of(model: Any) -> Any:
    """The vision tower of a model; None for a model of texts."""
    vision = vision_of(model)
    return getattr(model.base_model, vision.kind.tower) if vision else None


def vision_of(model: Any) -> Vision | None:
    """The eyes of a model that swr1.models opened; None for a model of texts."""
    return getattr(model, "swr1_vision", None)


def _size(made: Mapping[str, Any]) -> int:
    return sum(t.nbytes for t in made.values() if hasattr(t, "nbytes"))
