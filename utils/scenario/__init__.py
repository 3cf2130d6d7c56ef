"""From a YAML file to a checked plan; imports neither torch nor RecBole, but the commands that it asks may."""
