"""Draw reward, accuracy and length over the steps of training runs."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Policy folders or metrics files, as PATH or LABEL=PATH.", metavar="[LABEL=]RUN..."
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The picture (.png, .svg, .pdf).")
    ] = Path("training.png"),
):
    """Draw reward, accuracy and length over the steps of training runs.

    swr1 plot seed0=runs/a seed1=runs/b control=runs/c -o training.png
    """
    from swr1.evals.picture import drawn_and_left_out, training_picture
    from swr1.evals.runs import files_by_name, folder_name
    from swr1.streams.files import refuse_clashes
    from swr1.streams.metrics import read_metrics
    from swr1.terminal import say

    refuse_clashes({"-o": output}, runs)
    named = files_by_name(runs, folder_name)
    curves = {label: read_metrics(path) for label, path in named.items()}
    training_picture(curves, output)
    shows, *left_out = drawn_and_left_out(curves)
    say("swr1 plot", f"wrote {output}: {shows}")
    for line in left_out:
        say("swr1 plot", line)
