"""Parts of sequential recommenders: encoders of whole histories, losses over a catalogue."""
