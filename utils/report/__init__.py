"""Reports: comparison tables, tests of significance, one HTML page."""
