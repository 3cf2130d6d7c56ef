"""Writers of profiles: a template, a language model on this machine, or one behind an endpoint.

`base` is what they have in common; `draws` belongs to `local`, `asking` (threads) and `retries` (waits) to `openai`.
"""
