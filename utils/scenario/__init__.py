"""From a YAML file to a checked plan; imports neither torch nor RecBole, so that checking is instant."""
