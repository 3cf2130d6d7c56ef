"""Knowledge as further input features of a recommender (KAR)."""
