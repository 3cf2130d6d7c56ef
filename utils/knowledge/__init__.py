"""Knowledge on its way from texts to a model: prompts, descriptions, vectors, and what may be said against each."""
