"""Knowledge graphs by token: triples, links to items, and what each node is called."""
