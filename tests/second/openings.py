"""BLAKE3 as a tree, openings, and subtrees of tensors: docs/exact/traces.md. Plain and slow."""

IV = [0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19]
PERMUTATION = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8]
MIXED = [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)]
MIXED += [(0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]
CHUNK_START, CHUNK_END, PARENT, ROOT, KEYED_HASH = 1, 2, 4, 8, 16
CHUNK = 1_024
WORD = 0xFFFFFFFF


def _rotated(x, by):
    return (x >> by | x << (32 - by)) & WORD


def _words(data):
    return [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4)]


def _compress(value, block, counter, flags):
    v = _words(value) + IV[:4] + [counter & WORD, counter >> 32, len(block), flags]
    m = _words(block.ljust(64, b"\0"))
    for _ in range(7):
        for i, (a, b, c, d) in enumerate(MIXED):
            for word, first, second in ((m[2 * i], 16, 12), (m[2 * i + 1], 8, 7)):
                v[a] = (v[a] + v[b] + word) & WORD
                v[d] = _rotated(v[d] ^ v[a], first)
                v[c] = (v[c] + v[d]) & WORD
                v[b] = _rotated(v[b] ^ v[c], second)
        m = [m[i] for i in PERMUTATION]
    return b"".join((v[i] ^ v[i + 8]).to_bytes(4, "little") for i in range(8))


class Tree:
    """How nodes are hashed: plain, or with a key."""

    def __init__(self, key=None):
        self.initial = key or b"".join(word.to_bytes(4, "little") for word in IV)
        self.flags = KEYED_HASH if key else 0

    def leaf(self, data, number, is_root=False):
        value, blocks = self.initial, max(1, -(-len(data) // 64))
        for i in range(blocks):
            flags = self.flags | (CHUNK_START if i == 0 else 0)
            if i == blocks - 1:
                flags |= CHUNK_END | (ROOT if is_root else 0)
            value = _compress(value, data[64 * i : 64 * i + 64], number, flags)
        return value

    def parent(self, left, right, is_root=False):
        return _compress(self.initial, left + right, 0, self.flags | PARENT | (ROOT if is_root else 0))

    def node(self, blob, start, count, is_root=False):
        """The value of the node of `count` chunks from `start` on."""
        if count == 1:
            return self.leaf(blob[start * CHUNK : (start + 1) * CHUNK], start, is_root)
        left = left_chunks(count)
        return self.parent(self.node(blob, start, left), self.node(blob, start + left, count - left), is_root)


def left_chunks(count):
    return 1 << ((count - 1).bit_length() - 1)


def chunks_of(length):
    return max(1, -(-length // CHUNK))


# Openings


def compact(n):
    if n < 1 << 30:
        mode = 0 if n < 1 << 6 else 1 if n < 1 << 14 else 2
        return (n << 2 | mode).to_bytes(1 << mode, "little")
    size = max(4, (n.bit_length() + 7) // 8)
    return bytes([(size - 4) << 2 | 3]) + n.to_bytes(size, "little")


def opened_chunks(length, ranges):
    if length == 0:
        return [0]
    opened = {i for start, end in ranges if start < end for i in range(start // CHUNK, (end - 1) // CHUNK + 1)}
    return sorted(opened)


def walk(opened, start, count, leaf, sibling, parent, is_root=True):
    """Goes from left to right through the nodes that are not closed, and what is closed beside them."""
    if not any(start <= chunk < start + count for chunk in opened):
        return sibling(start, count)
    if count == 1:
        return leaf(start, is_root)
    left = left_chunks(count)
    a = walk(opened, start, left, leaf, sibling, parent, False)
    return parent(a, walk(opened, start + left, count - left, leaf, sibling, parent, False), is_root)


def open_(blob, ranges, tree):
    """The encoding of the opening of these ranges of bytes."""
    opened = opened_chunks(len(blob), ranges)
    runs = []
    for chunk in opened:
        if runs and sum(runs[-1]) == chunk:
            runs[-1][1] += 1
        else:
            runs.append([chunk, 1])
    data = b"".join(blob[chunk * CHUNK : (chunk + 1) * CHUNK] for chunk in opened)
    siblings = []
    sibling = lambda start, count: siblings.append(tree.node(blob, start, count))
    walk(opened, 0, chunks_of(len(blob)), lambda *_: None, sibling, lambda *_: None)
    out = compact(len(runs)) + b"".join(compact(first) + compact(count) for first, count in runs)
    return out + compact(len(data)) + data + compact(len(siblings)) + b"".join(siblings)


class Refused(Exception):
    """An opening that proves nothing."""


def verify(opening, digest, length, tree):
    """The opened chunks, by their numbers."""
    at = 0

    def take(count):
        nonlocal at
        if at + count > len(opening):
            raise Refused("it ends too early")
        at += count
        return opening[at - count : at]

    def number(most):
        start, first = at, take(1)
        size = (first[0] >> 2) + 4 if first[0] & 3 == 3 else (1 << (first[0] & 3)) - 1
        rest = take(size)
        n = int.from_bytes(rest, "little") if first[0] & 3 == 3 else int.from_bytes(first + rest, "little") >> 2
        if opening[start:at] != compact(n) or n > most:
            raise Refused("no number")
        return n

    runs = [(number(2**64), number(2**64)) for _ in range(number(64))]
    total, end, opened = chunks_of(length), -1, []
    for first, count in runs:
        if count == 0 or first <= end or first + count > total or count > 64:
            raise Refused("no run")
        opened += range(first, first + count)
        end = first + count
    data = take(number(65_536))
    siblings = [take(32) for _ in range(number(1_024))]
    sizes = [min(CHUNK, length - chunk * CHUNK) for chunk in opened]
    if not opened or at < len(opening) or sum(sizes) != len(data):
        raise Refused("another number of bytes")
    shown = {chunk: data[sum(sizes[:i]) : sum(sizes[: i + 1])] for i, chunk in enumerate(opened)}
    left = list(reversed(siblings))

    def sibling(start, count):
        if not left:
            raise Refused("too few siblings")
        return left.pop()

    root = walk(opened, 0, total, lambda chunk, is_root: tree.leaf(shown[chunk], chunk, is_root), sibling, tree.parent)
    if left or root != digest:
        raise Refused("another digest")
    return shown


# Subtrees


def subtree_chunks(length):
    """Chunks of a subtree of a tensor; None if it has only one."""
    if length <= 65_536:
        return None
    s = 16
    while True:
        count = -(-chunks_of(length) // s)
        if count <= 4_096 and (32 * count <= 1_024 * s or s >= 64):
            return s
        s *= 2


def subtrees(blob, tree):
    """The values of the subtrees."""
    total, s = chunks_of(len(blob)), subtree_chunks(len(blob))
    if s is None:
        return [tree.node(blob, 0, total, True)]
    return [tree.node(blob, start, min(s, total - start)) for start in range(0, total, s)]


def merge(values, tree):
    """The digest by the values of more than one subtree."""
    while len(values) > 2:
        pairs = [values[i : i + 2] for i in range(0, len(values), 2)]
        values = [tree.parent(*pair) if len(pair) == 2 else pair[0] for pair in pairs]
    return tree.parent(*values, True)
