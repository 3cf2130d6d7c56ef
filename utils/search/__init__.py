"""Searches: values to try, trials in a study that outlives the process, and the best scenario as plain YAML."""
