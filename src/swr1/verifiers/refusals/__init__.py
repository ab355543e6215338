"""Reading of refusals: the words that they are made of, in several languages."""
