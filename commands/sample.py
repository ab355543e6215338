"""Select and order records by a key: filters, equal shares, curricula."""

from typing import Annotated

import typer

from swr1.commands._stage import stage_command
from swr1.errors import DataError, UsageError
from swr1.records import key


@stage_command()
def command(
    open_stage,
    where: Annotated[
        list[str],
        typer.Option(
            help="Keep KEY=VALUE, KEY=LO-HI, KEY!=VALUE, 'KEY>=NUMBER' (again: and).",
            metavar="CONDITION",
        ),
    ] = (),  # type: ignore[assignment]
    by: Annotated[
        str | None,
        typer.Option(help="What order and shares go by: reward, difficulty.conflicts, ..."),
    ] = None,
    order: Annotated[
        str | None, typer.Option(help="rising, falling, or shuffle; default: as they came.")
    ] = None,
    soft: Annotated[
        float, typer.Option(min=0, help="Let a record move back by up to this share of all.")
    ] = 0.0,
    balance: Annotated[
        bool, typer.Option("--balance", help="Take equally many of every value.")
    ] = False,
    bins: Annotated[
        int | None, typer.Option(min=1, help="With --balance: of so many quantile bins.")
    ] = None,
    mix: Annotated[
        str | None, typer.Option(help="Shares of values or ranges.", metavar="VALUE=WEIGHT,...")
    ] = None,
    n: Annotated[int | None, typer.Option("--n", "-n", min=0, help="At most so many.")] = None,
    seed: Annotated[int, typer.Option(help="Names the random choices.")] = 0,
):
    """Select and order records by a key: filters, equal shares, curricula.

    KEY reaches into the record or its info: people, difficulty.conflicts, reward. --where alone
    works on a stream; everything else holds the records first. --n takes at random: for the
    easiest 100, use --order rising and `head -100`.

    swr1 gen-puzzles -n 9000 --difficulty | swr1 sample --by difficulty.conflicts --order rising

    swr1 sample p.jsonl --where people=3-5 --by people --balance -n 300
    """
    from swr1.registry import suggest
    from swr1.streams.sampling import ORDERS, Pool, arrange, parse_condition, parse_mix, take

    if order not in (None, *ORDERS):
        raise UsageError(f"--order is {', '.join(ORDERS)}, not {order!r}.{suggest(order, ORDERS)}")
    uses = order in ("rising", "falling") or balance or mix is not None
    if uses != (by is not None):
        raise UsageError(
            "--order rising or falling, --balance and --mix go by a key: add --by KEY"
            if uses
            else "--by KEY goes with --order rising or falling, --balance or --mix"
        )
    if (bins and not balance) or (balance and mix is not None) or (soft and not order):
        raise UsageError("--bins goes with --balance, --mix without it, --soft with --order")
    conditions = dict(zip(where, map(parse_condition, where), strict=True))
    weights = parse_mix(mix) if mix is not None else None

    with open_stage() as stage:

        def keep(record):
            for text, fits in conditions.items():
                if not fits(record):
                    stage.count_drop(f"not {text}")
                    return None
            return record

        if not (uses or order or n is not None):
            stage.map(keep)
            return
        if stage.shard[1] > 1:
            raise UsageError("an order, shares and --n are of all records: no shards here")
        pool = Pool(by, seed)
        for record in stage.read():
            try:
                if record is not None and keep(record) is not None:
                    pool.add(record)
            except DataError as error:
                stage.drop(error.reason, error.location or record.location, record)
        taken = take(pool.held, n, balance, bins, weights)
        for _ in range(len(pool.held) - len(taken)):
            stage.count_drop("not sampled")
        for held in arrange(taken, order, soft):
            record = pool.read(held)
            if key(record) not in stage:
                stage.write(record)
