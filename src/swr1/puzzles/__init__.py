"""Knights & Knaves: statements and solver, canonical form, generator, wording, reasoning traces."""
