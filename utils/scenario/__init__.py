"""From a YAML file to a checked plan; imports neither torch nor RecBole, though what a command checks may need torch."""
