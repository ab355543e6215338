"""A made village: requests whose harm, answers and facts are known by construction.

A world for safety training on a laptop. Its people ask how to do things to other people, to pests,
to what they own; they ask for facts, sums, and whether a deed is right. Whether a request is
harmful follows from the classes of its words together (data/village.toml), and from no single word:
"drown the rats" is harmless, "sweeten the tea of the baker with hemlock" is not.
"""
