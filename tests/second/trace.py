"""Digests, lists of digests, records and traces of docs/exact/traces.md."""

import numpy as np
from blake3 import blake3


def digest(data, key=None):
    """Of a tensor or of bytes; keyed for a private job."""
    if isinstance(data, np.ndarray):
        data = np.ascontiguousarray(data).astype(data.dtype.newbyteorder("<"), copy=False).tobytes()
    return blake3(data, key=key).digest() if key else blake3(data).digest()


def private_key(secret):
    """The key of a private job's digests."""
    return blake3(secret, derive_key_context="assay/private-job/2: key of the digests").digest()


def list_digest(kind, digests, key=None):
    """Of the list `kind`: origin, weights, record, segment or outputs."""
    name = f"assay/{kind}/2".encode().ljust(24, b"\0")
    return digest(name + len(digests).to_bytes(8, "little") + b"".join(digests), key)


def origin(program, package, parameters, inputs, key=None):
    """Record 0."""
    return list_digest("origin", [program, package, parameters, *inputs], key)


def span(max_steps, segments):
    """Segments of a record, in runs of at most so many steps of so many segments."""
    if max_steps * segments <= 4095:
        return 1
    return -(-max_steps // 4095) * segments


class Trace:
    """The trace of a run as it goes on."""

    def __init__(self, max_steps, segments_per_step, record_0, key=None):
        self.per_step, self.key = segments_per_step, key
        self.per_record = span(max_steps, segments_per_step)
        self.record_0, self.segments = record_0, []

    def segment(self, digests):
        """Takes the digests of what the next segment hands on; gives the segment's."""
        self.segments.append(list_digest("segment", digests, self.key))
        return self.segments[-1]

    def _digest(self, failed, operator, result):
        steps, segment = divmod(len(self.segments), self.per_step)
        place = (steps, segment, operator) if failed else (0, 0, 0)
        header = b"assay/trace".ljust(12, b"\0") + (2).to_bytes(2, "little") + bytes([failed, 0])
        header += b"".join(n.to_bytes(4, "little") for n in (steps, *place)) + result
        records = [self.record_0]
        for start in range(0, len(self.segments), self.per_record):
            records.append(list_digest("record", self.segments[start : start + self.per_record], self.key))
        return digest(header + b"".join(records), self.key)

    def complete(self, result):
        return self._digest(0, 0, result)

    def fail(self, operator):
        return self._digest(1, operator, digest(b"", self.key))
