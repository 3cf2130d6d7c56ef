"""Everything that RecBole 1.2.1 needs to live on today's stack; the interpreter's only way to RecBole."""
