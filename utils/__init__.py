"""The interpreter: scenario in, records out. Formulas live in `models`."""
