"""The paged cache of a replica in compiled code: blocks taken and freed, shared beginnings found, kept and evicted."""

from __future__ import annotations

from suanli.simulate.compiled import fast
from suanli.simulate.serving_state import NEWEST, NOBODY, OLDEST, USED, Replicas, Requested, Rules, Work


@fast
def unlink(replicas: Replicas, at: int, block: int) -> None:
    """Take a block out of the list of those without a user."""
    older, newer = replicas.older[at, block], replicas.newer[at, block]
    if older == NOBODY:
        replicas.counts[at, OLDEST] = newer
    else:
        replicas.newer[at, older] = newer
    if newer == NOBODY:
        replicas.counts[at, NEWEST] = older
    else:
        replicas.older[at, newer] = older


@fast
def link(replicas: Replicas, at: int, block: int) -> None:
    """Put a block without a user at the young end of the list."""
    last = replicas.counts[at, NEWEST]
    replicas.older[at, block], replicas.newer[at, block] = last, NOBODY
    if last == NOBODY:
        replicas.counts[at, OLDEST] = block
    else:
        replicas.newer[at, last] = block
    replicas.counts[at, NEWEST] = block


@fast
def room(rules: Rules, replicas: Replicas, at: int, blocks: int) -> bool:
    """Make room for so many blocks, evicting shared ones that nobody uses, the oldest first; say whether there is."""
    while replicas.counts[at, USED] + blocks > rules.pool_blocks:
        oldest = replicas.counts[at, OLDEST]
        if oldest == NOBODY:
            return False
        unlink(replicas, at, oldest)
        replicas.users[at, oldest] = NOBODY
        replicas.counts[at, USED] -= rules.shared_blocks
    return True


@fast
def whole_blocks(work: Work, rules: Rules, one: int) -> int:
    """Count the shared blocks that a request's prompt fills to their end."""
    told = work.first_block[one + 1] - work.first_block[one]
    return int(min(told, work.inputs[one] // (rules.shared_blocks * rules.block_tokens)))


@fast
def hits(work: Work, rules: Rules, replicas: Replicas, at: int, one: int) -> int:
    """Count the blocks at the beginning of a prompt that a replica's cache holds."""
    start, found = work.first_block[one], 0
    while found < whole_blocks(work, rules, one) and replicas.users[at, work.blocks[start + found]] != NOBODY:
        found += 1
    return found


@fast
def use(replicas: Replicas, at: int, block: int) -> None:
    """Add a user to a block that is in the cache."""
    if replicas.users[at, block] == 0:
        unlink(replicas, at, block)
    replicas.users[at, block] += 1


@fast
def drop(replicas: Replicas, at: int, block: int) -> None:
    """Take a user from a block; without one it stays until its room is needed."""
    replicas.users[at, block] -= 1
    if replicas.users[at, block] == 0:
        link(replicas, at, block)


@fast
def release(work: Work, rules: Rules, replicas: Replicas, told: Requested, at: int, one: int) -> None:
    """Give back all that a request holds; later blocks of its prompt are evicted before earlier ones."""
    replicas.counts[at, USED] -= told.private[one]
    told.private[one], told.holds[one] = 0, 0
    start = work.first_block[one]
    for place in range(whole_blocks(work, rules, one) - 1, -1, -1):
        drop(replicas, at, work.blocks[start + place])


@fast
def claim(work: Work, rules: Rules, replicas: Replicas, told: Requested, at: int, one: int, private: int) -> int:
    """Take the shared and private blocks of a request; return how many shared ones were found, NOBODY without room.

    What is found is used at once, so that making room for the rest does not evict it.
    """
    start, whole, found = work.first_block[one], whole_blocks(work, rules, one), hits(work, rules, replicas, at, one)
    missing = 0
    for place in range(whole):
        block = work.blocks[start + place]
        if replicas.users[at, block] == NOBODY:
            missing += 1
        else:
            use(replicas, at, block)
    if not room(rules, replicas, at, missing * rules.shared_blocks + private):
        for place in range(whole - 1, -1, -1):
            block = work.blocks[start + place]
            if replicas.users[at, block] > 0:
                drop(replicas, at, block)
        return NOBODY
    for place in range(whole):
        block = work.blocks[start + place]
        if replicas.users[at, block] == NOBODY:
            replicas.users[at, block] = 1
            replicas.counts[at, USED] += rules.shared_blocks
    replicas.counts[at, USED] += private
    told.private[one] = private
    told.holds[one] = (whole * rules.shared_blocks + private) * rules.block_tokens
    return found
