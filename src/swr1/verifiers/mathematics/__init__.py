"""Reading of mathematics: numbers, units and formulas, and whether two of them are equal."""
