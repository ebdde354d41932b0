"""A lane's tree, grown again from its entries: whatever was said of it on the way is held against it.

Rules of this file: it reads the ledger, its heads and its checkpoints, and nothing else; no key is needed, no
content is opened, no entry is decoded. Leaves are taken a run at a time and roots are made only where
somebody named one.

    ledger        no gap, leaf = hash of the entry, subject = what the entry ends with
    heads         the root of the tree of that size
    nodes         the root of each complete subtree at every fourth level
    checkpoints   signature and root (`attestation`)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from json.encoder import encode_basestring_ascii

from bridge.ledger.entry import VERSION
from bridge.ledger.tree import NODE_STEP, Frontier, leaf_hash
from bridge.store.attestation import Attested
from bridge.store.reread import AnyRow, Work, as_bytes


class Growth:
    """The tree of one lane while its entries are read. `next` is the number of the entry that is due."""

    def __init__(self, work: Work, lane: int) -> None:
        self.work, self.lane = work, lane
        self.frontier = Frontier()
        self.next = 0
        self.whole = True  # no entry is missing so far: the tree can be computed
        self.heads: Mapping[int, bytes] = {}  # those that the last run passed, by size
        self._wrong: list[int] = []
        self._attested = Attested(work, lane)
        self._nodes = _Nodes(work, lane)

    def take(self, rows: Sequence[AnyRow]) -> None:
        """Entries one after another, without a gap between them: rows with `id`, `entry` and `leaf`."""
        first, end = rows[0].id, rows[-1].id + 1
        if first != self.next:
            self.missing(self.next, first - 1)
        self.next = end
        leaves = self._leaves(rows)
        self.heads = self._kept(first, end)
        at = first
        for size in sorted(size for size in {*self.heads, end} if size > first):
            self._grow(leaves[at - first : size - first], size)
            at = size
            if self.whole and size in self.heads:
                self._head(size, self.heads[size])
        if self.whole:
            self._nodes.compare()
        self.work.summary.entries += len(rows)

    def _leaves(self, rows: Sequence[AnyRow]) -> list[bytes]:
        leaves, entries = [row.leaf for row in rows], [row.entry for row in rows]
        if {*map(type, entries)} == {bytes} and leaves == [*map(leaf_hash, entries)]:
            return leaves
        for row in rows:
            if leaf_hash(as_bytes(row.entry)) != as_bytes(row.leaf):
                meaning = "is not the hash of its entry: one of the two was changed"
                self.work.report("ledger", f"lane {self.lane} seq {row.id}", "leaf", meaning)
        return [as_bytes(leaf) for leaf in leaves]

    def _kept(self, first: int, last: int) -> dict[int, bytes]:
        statement = "SELECT size, root FROM heads WHERE lane = :lane AND size BETWEEN :first AND :last"
        rows = self.work.rows(statement, lane=self.lane, first=first, last=last)
        return {row.size: as_bytes(row.root) for row in rows if isinstance(row.size, int)}

    def _grow(self, leaves: Sequence[bytes], size: int) -> None:
        """Take `leaves`, up to the tree of `size`, and meet every checkpoint on the way."""
        at, taken = size - len(leaves), 0
        while (due := self._attested.next) <= size:
            upto = max(taken, due - at)
            self._extend(leaves[taken:upto])
            taken = upto
            self._attested.meet(due, self.frontier.root if self.whole else None)
        self._extend(leaves[taken:])

    def _extend(self, leaves: Sequence[bytes]) -> None:
        """Take leaves, and on the way the subtrees that they complete."""
        frontier, at = self.frontier, 0
        for last in range(-(frontier.size + 1) % _EVERY, len(leaves), _EVERY):
            frontier.extend(leaves[at:last])
            if self.whole:
                self._nodes.meet(frontier, leaves[last])
            at = last
        frontier.extend(leaves[at:])

    def _head(self, size: int, root: bytes) -> None:
        if self.frontier.root() == root:
            self._tell_wrong()
        else:
            self._wrong.append(size)

    def _tell_wrong(self) -> None:
        """Report a row of wrong heads as one finding: they follow from one change before the first."""
        if not self._wrong:
            return
        first, last = self._wrong[0], self._wrong[-1]
        more = f"and {len(self._wrong) - 1} later ones, to size {last}" if last != first else ""
        meaning = f"does not match the entries: it was changed, or an entry before {first} was"
        self.work.report("heads", f"lane {self.lane} size {first}", "root", meaning, more)
        self._wrong.clear()

    def missing(self, first: int, last: int) -> None:
        """Report that entries are not there: from here on no root can be computed."""
        missing = f"entry {first} is" if first == last else f"entries {first} to {last} are"
        meaning = "missing: what was testified there is no longer proven, nor the tree after it"
        self.work.report("ledger", f"lane {self.lane} seq {first}", "", f"{missing} {meaning}")
        self.whole = False

    def end(self) -> None:
        """The last entry has been taken: whatever speaks of more is told."""
        self._tell_wrong()
        self._attested.end()
        if self.whole:
            self._nodes.end()
        work, size, lane = self.work, self.frontier.size, self.lane
        work.summary.roots[lane] = (size, self.frontier.root().hex())
        newest = "SELECT 1 FROM heads WHERE lane = :lane AND size = :size"
        if self.whole and not work.rows(newest, lane=lane, size=size):
            work.report("heads", f"lane {lane} size {size}", "", "is missing: the newest head")
        beyond = "SELECT size FROM heads WHERE lane = :lane AND size > :size ORDER BY size LIMIT 1"
        for larger in work.column(beyond, lane=lane, size=self.next):
            meaning = f"speaks of more entries than there are: those after {self.next - 1} are missing"
            work.report("heads", f"lane {lane} size {larger}", "size", meaning)
        for other in work.column("SELECT size FROM heads WHERE lane = :lane AND size < 1", lane=lane):
            work.report("heads", f"lane {lane} size {other}", "size", "is not the size of any tree")


_EVERY = 1 << NODE_STEP


class _Nodes:
    """The complete subtrees of a growing tree, against those that were kept."""

    def __init__(self, work: Work, lane: int) -> None:
        self.work, self.lane = work, lane
        self._made: dict[int, dict[int, bytes]] = {}  # by level and number, since the last look
        self._wrong: list[tuple[int, int]] = []
        self._met = 0

    def meet(self, frontier: Frontier, leaf: bytes) -> None:
        """The tree is about to get `leaf`, which completes a subtree of a level that is kept."""
        for level, node in frontier.closing(leaf):
            self._made.setdefault(level, {})[frontier.size >> level] = node

    def compare(self) -> None:
        """Look at those that were completed since the last look."""
        for level, made in self._made.items():
            statement = (
                "SELECT n, hash FROM nodes WHERE lane = :lane AND level = :level "
                "AND n BETWEEN :first AND :last"
            )
            rows = self.work.rows(statement, lane=self.lane, level=level, first=min(made), last=max(made))
            kept = {row.n: as_bytes(row.hash) for row in rows}
            self._met += len(rows)
            if kept != made:
                self._wrong += [(level, n) for n, node in made.items() if kept.get(n) != node]
        self._made.clear()

    def end(self) -> None:
        """Report those that are wrong as one finding, and whether there are others."""
        if self._wrong:
            level, n = min(self._wrong)
            more = f" (nor {len(self._wrong) - 1} others)" if len(self._wrong) > 1 else ""
            meaning = f"is not there as the root of its entries{more}: it, or an entry, was changed"
            self.work.report("nodes", f"lane {self.lane} level {level} n {n}", "hash", meaning)
        count = sum(self.work.column("SELECT count(*) FROM nodes WHERE lane = :lane", lane=self.lane))
        if count > self._met:
            meaning = f"has {count - self._met} that are the root of no complete subtree"
            self.work.report("nodes", f"lane {self.lane}", "", meaning)


def runs(rows: Sequence[AnyRow]) -> Iterator[Sequence[AnyRow]]:
    """Rows in order of their `id`, parted where a number is missing."""
    ids, start = [row.id for row in rows], 0
    if ids == [*range(ids[0], ids[0] + len(ids))]:
        yield rows
        return
    for end in range(1, len(rows) + 1):
        if end == len(rows) or ids[end] != ids[end - 1] + 1:
            yield rows[start:end]
            start = end


def lanes_of(work: Work) -> Sequence[int]:
    """Every lane that there is, or of which there are entries."""
    found = {*work.column("SELECT lane FROM lanes"), *work.column("SELECT DISTINCT lane FROM ledger")}
    return sorted(found, key=str)


def check_tree(work: Work) -> None:
    """The trees of all lanes alone: what was signed about them holds, or it is told why not."""
    work.total = work.count("ledger")
    statement = (
        "SELECT seq AS id, subject, entry, leaf FROM ledger WHERE lane = :lane AND seq > :after "
        "ORDER BY seq LIMIT :chunk"
    )
    for lane in lanes_of(work):
        growth = Growth(work, lane)
        for rows in work.chunks(statement, lane=lane):
            for run in runs(rows):
                growth.take(run)
            _names(work, lane, rows)
            work.tick(len(rows))
        growth.end()


def _names(work: Work, lane: int, rows: Sequence[AnyRow]) -> None:
    """Whoever looks for what was said of something goes by the subjects of rows: an entry under another name
    is found by nobody. The canonical bytes of one end with its own (`bridge.ledger.entry`)."""
    for row in rows:
        entry = as_bytes(row.entry)
        end = f',"subject":{encode_basestring_ascii(str(row.subject))}{_VERSION}'
        if not entry.endswith(end.encode()) and entry.endswith(_VERSION.encode()):
            meaning = "lies under another name than its own: nobody finds it there"
            work.report("ledger", f"lane {lane} seq {row.id}", "subject", meaning)


_VERSION = f',"v":{VERSION}}}'
