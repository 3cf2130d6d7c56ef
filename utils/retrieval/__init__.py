"""Which parts of a knowledge graph a user's history asks for."""
