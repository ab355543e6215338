"""Several claims of one step, as one judgement: shared by the worlds whose steps state facts."""

from collections.abc import Sequence

from swr1.verifiers.steps.turn import RIGHT, UNJUDGED, UNREAD, WRONG, Judged

SAYS_NOTHING = Judged(UNJUDGED, "it states no fact")
CANNOT_READ = Judged(UNREAD, "it is no sentence that the rules know")


def holds(claim: bool, why: str) -> Judged:
    """Right, or wrong with the reason."""
    return Judged(RIGHT) if claim else Judged(WRONG, why)


def together(claims: Sequence[Judged]) -> Judged:
    """Wrong if one is, else unread if one is, else right if one is."""
    for label in (WRONG, UNREAD, RIGHT):
        if found := next((c for c in claims if c.label == label), None):
            return found
    return SAYS_NOTHING
