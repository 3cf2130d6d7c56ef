"""Where a run's numbers go besides its record: one file per exporter."""
