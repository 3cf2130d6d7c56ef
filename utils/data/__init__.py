"""Ids, vector files and text: how data crosses the boundary between files and RecBole's rows."""
