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
    from swr1.evals.picture import training_picture
    from swr1.evals.runs import split_label
    from swr1.streams.files import refuse_clashes
    from swr1.streams.metrics import read_metrics

    refuse_clashes({"-o": output}, runs)
    named = dict(map(split_label, runs))
    curves = {label or Path(path).name: read_metrics(path) for label, path in named.items()}
    training_picture(curves, output)
