"""One pass over many rows: chunks of a fixed number of rows, summed in a tree by chunk index.

Chunk c holds rows c CHUNK up to (c + 1) CHUNK. Sums of chunks are added as the leaves of a binary
tree over c (neighbours, then neighbours of neighbours), whoever computes them and in whatever
order, so a result has the same bits for any number of threads. A group is a subtree: 2**g
neighbouring chunks, the unit of work that a thread takes.
"""

from bayesgmm.engine.atomic import fetch_add, load, store
from bayesgmm.engine.kernel import add_rows
from bayesgmm.model.compile import jit
from bayesgmm.model.loops import accumulate, assign, fill

CHUNK = 1024

# Places in the array by which threads agree on a pass.
NEXT, DONE, STOP = 0, 1, 2


@jit
def sum_group(rows, parameters, work, stack, group, chunks_a_group, out):
    """Set `out` to the sums of the group's chunks.

    rows = (x, row_weights, shift, scale), parameters = (constants, means, factors, offsets);
    stack (levels, size) holds the finished left subtrees of the tree.
    """
    x, row_weights, shift, scale = rows
    constants, means, factors, offsets = parameters
    n = x.shape[0]
    first = group * chunks_a_group
    last = min(first + chunks_a_group, (n + CHUNK - 1) // CHUNK)
    top = 0
    fill(stack[0], 0.0)  # what no rows at all amount to
    for chunk in range(first, last):
        a, b = chunk * CHUNK, min((chunk + 1) * CHUNK, n)
        leaf = stack[top]
        fill(leaf, 0.0)
        add_rows(x, row_weights, a, b, shift, scale, constants, means, factors, offsets, work, leaf)
        top += 1
        complete = chunk - first + 1
        while complete % 2 == 0:
            top -= 1
            accumulate(stack[top - 1], stack[top])
            complete //= 2
    while top > 1:
        top -= 1
        accumulate(stack[top - 1], stack[top])
    assign(out, stack[0])


@jit
def sum_tree(parts, n_parts):
    """Add the groups' sums into parts[0] as the upper levels of the same tree."""
    stride = 1
    while stride < n_parts:
        for i in range(0, n_parts - stride, 2 * stride):
            accumulate(parts[i], parts[i + stride])
        stride *= 2


@jit
def centre_moments(sums, means, factors):
    """Make the second moments of `sums` B: subtract A mu', and mirror the lower triangle."""
    n_components, d = means.shape
    if factors.ndim == 3:
        firsts = sums[2 + n_components :]
        seconds = sums[2 + n_components * (1 + d) :].reshape(n_components, d, d)
        for k in range(n_components):
            for i in range(d):
                for j in range(i + 1):
                    value = seconds[k, i, j] - firsts[k * d + i] * means[k, j]
                    seconds[k, i, j] = value
                    seconds[k, j, i] = value


@jit
def serial_pass(rows, parameters, work, stack, out):
    """A whole pass as one group."""
    n = rows[0].shape[0]
    sum_group(rows, parameters, work, stack, 0, max((n + CHUNK - 1) // CHUNK, 1), out)
    centre_moments(out, parameters[1], parameters[2])


@jit
def take_groups(control, rows, parameters, work, stack, chunks_a_group, parts):
    """Sum groups that nobody has taken yet, until none is left."""
    n_groups = parts.shape[0]
    while True:
        group = fetch_add(control, NEXT, 1)
        if group >= n_groups:
            return
        sum_group(rows, parameters, work, stack, group, chunks_a_group, parts[group])
        fetch_add(control, DONE, 1)


@jit
def lead_pass(control, rows, parameters, work, stack, chunks_a_group, parts, patience):
    """Open a pass to the other threads, take part in it, and wait for the last group.

    Returns False if that took more than `patience` looks: the caller then sleeps and looks again.
    """
    store(control, DONE, 0)
    store(control, NEXT, 0)
    take_groups(control, rows, parameters, work, stack, chunks_a_group, parts)
    return await_groups(control, parts.shape[0], patience)


@jit
def await_groups(control, n_groups, patience):
    """Look at the number of finished groups up to `patience` times; True once it is all."""
    for _ in range(patience):
        if load(control, DONE) >= n_groups:
            return True
    return False


@jit
def follow_passes(control, rows, parameters, work, stack, chunks_a_group, parts, patience):
    """Take part in every pass that opens, until STOP or `patience` looks without one.

    A thread that waits here sees a new pass within a fraction of a microsecond; waking one that
    sleeps takes longer than many a pass.
    """
    idle = 0
    n_groups = parts.shape[0]
    while idle < patience:
        if load(control, STOP) != 0:
            return
        if load(control, NEXT) < n_groups:
            take_groups(control, rows, parameters, work, stack, chunks_a_group, parts)
            idle = 0
        else:
            idle += 1


@jit
def finish_pass(parts, parameters):
    """The sums of all groups, in parts[0]."""
    sum_tree(parts, parts.shape[0])
    centre_moments(parts[0], parameters[1], parameters[2])
