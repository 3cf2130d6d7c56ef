"""One file per scenario command. Importing `base` is cheap; torch and RecBole are imported inside `run`."""
