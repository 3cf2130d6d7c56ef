"""What a run leaves behind: one record as JSON, one row in the journal."""
