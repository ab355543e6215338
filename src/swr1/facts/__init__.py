"""A made world of facts: what a policy must look up, what it knows, and what nobody knows.

Deliberative search needs questions of which it is known whether a search is needed, whether it can
succeed, and what is right. Here all three follow from the construction: who is whose friend and who
lives where is drawn from a seed and stands in documents alone, with some of it in none; the tool of
a trade and the cry of an animal are the same in every world, and are learned by heart.
"""
