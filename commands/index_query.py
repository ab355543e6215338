"""Ask an index for passages: words give a page, queries from a file or a pipe give JSONL."""

from typing import Annotated

import typer

from swr1.streams import standard


def command(
    index: Annotated[str, typer.Argument(help="The folder of the index.", metavar="INDEX")],
    words: Annotated[
        list[str],
        typer.Argument(
            help="A query; each argument is one. Without any, queries come from --queries.",
            metavar="[QUERY...]",
        ),
    ] = (),  # type: ignore[assignment]
    queries: Annotated[
        str,
        typer.Option(
            help="A query per line, as it stands or as JSON: a text, or an object with `query`.",
            metavar="FILE|-",
        ),
    ] = "-",
    top: Annotated[int, typer.Option(min=1, max=1000, help="Passages per query.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="JSONL, not a page.")] = False,
):
    """Ask an index for passages: words give a page, queries from a file or a pipe give JSONL.

    swr1 index query docs.index/ "who painted the night watch" --top 5

    A query is words: quotes, brackets and operators mean nothing. Passages with more of its words,
    with rarer ones, and short passages come first (BM25).
    """
    from swr1.index.asking import answers, asked
    from swr1.index.page import print_answer
    from swr1.index.reading import open_index
    from swr1.records import pack

    opened = open_index(index)
    standard.reserve()
    for query in list(words) or asked(queries):
        answer = answers(opened, query, top)
        with standard.ours() as out:
            if words and not as_json:
                print_answer(answer)
            else:
                out.write(pack(answer).decode() + "\n")
