"""A person (or a rule) mends a policy's reasoning, and the policy goes on from there.

journal.py     edits as differences in an append-only file; what a crash tore is ignored
history.py     the journal replayed: what a completion says now
difference.py  the one difference between a completion and what a person made of it
continuing.py  the policy goes on: token ids, loss mask, turns
session.py     records, journal, policy and output together
known.py       known edits, offered again where a prompt is similar
rules.py       edits without a person; judging.py: by a served judge
exporting.py   edits as records for SFT, DPO and a process model
editor.py, page.py  $EDITOR, and what a terminal shows; web/ is the page in a browser
"""
