"""Verifiers that are models: how a guard, a reward model or a judge is asked, and its reply read.

    adapters.py   guards by name: the chat each was trained on, the format of its reply
    prompts.py    a judge by a prompt file: a template, a parse rule, labels and their scores
    reply.py      what comes back; probabilities of the classes from its tokens
    escaping.py   texts that cannot end their own turn in the guard's template
    local.py      a model in this process      served.py   one behind an OpenAI-compatible server
    trained.py    a classifier or reward model made by swr1 train-step, or published
    cache.py      replies by content           options.py   the options of a verifier that is a model
    opening.py    which of these it is         asking.py    all of it together, record by record

A reply that cannot be read, a text that cannot be asked about, a server that is gone: each raises
`CouldNotJudge`, which becomes a verdict with a null score that says why.
"""
