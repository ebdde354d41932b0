"""Searching the archive: what may be asked, and what is asked of the index.

Rules of this package: pure. It never sees a table or a key. A query is a condition on documents; the index
only saves opening those that cannot fulfil it. Whatever the index offers is opened and tried again here, so a
stale, coarse or damaged index can make a search slow, and never wrong in what it shows.

    text ──parse──► Query ──need──► the index: numbers of messages that may fit  (bridge/store/index)
                      └──accepts──► documents, opened: those that do fit
"""
