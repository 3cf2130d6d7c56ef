"""Writers of profiles: a template, a language model on this machine, or one behind an endpoint."""
