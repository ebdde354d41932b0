"""Records after the message has passed: how long they are kept, where else they lie, how they are handed
over, and whether any is missing.

Rules of this package: pure. What is read is handed in, `now` is an argument, and what is written goes to
something that the caller opened. `bridge/store` reads and writes the tables; `bridge/sinks` speaks to
archives outside; `bridge/cli` is where people ask.
"""
