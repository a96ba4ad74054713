"""What a document is known by: a digest that tells whether it is the same, and a sketch that tells whether it is alike.

The sketch is a b-bit minwise hash (Li and König, WWW 2010) over the set of the words of a text, by one permutation (Li,
Owen and Zhang, NIPS 2012): each word has a hash that falls into one of 16 bins, and of the smallest in each bin four
bits are kept. Two texts have as large a part of the 16 in common as of their words, nearly.
"""

from bisect import bisect_left
from hashlib import blake2b
from typing import Final
from zlib import crc32

NEAR: Final = 3  # bins that may differ between texts that are worth a closer look
ALIKE: Final = 0.9  # the part of their words that texts must have in common to count as alike
_BINS: Final = 16
_BITS: Final = 4  # kept of each
_BEGINNING: Final = 6_000  # characters; a closer look sees the rest
_FEWEST_WORDS: Final = 40  # distinct ones; of fewer, a sketch says little
_FLOORS: Final = tuple(number << 28 for number in range(_BINS))  # the smallest hash that falls into each bin


def digest(data: bytes) -> str:
    """A digest of 128 bits in hexadecimal; equal only for equal data."""
    return blake2b(data, digest_size=16).hexdigest()


def sketch(text: str) -> int | None:
    """The sketch of the beginning of a text as a signed integer of 64 bits, as SQLite keeps it; None for few words."""
    words = set(text[:_BEGINNING].encode("utf-8", "replace").split())
    if len(words) < _FEWEST_WORDS:
        return None
    hashes = sorted(map(crc32, words))
    value = 0
    for floor in _FLOORS:
        place = bisect_left(hashes, floor)
        smallest = hashes[place] if place < len(hashes) else 0
        value = value << _BITS | (smallest & 0xF if smallest >> 28 == floor >> 28 else 0)
    return value - (1 << 64) if value >> 63 else value


def likeness(one: str, other: str) -> float:
    """Which part of all their words two texts have in common: Jaccard's coefficient, 0 to 1."""
    ours, theirs = set(one.split()), set(other.split())
    return len(ours & theirs) / (len(ours | theirs) or 1)


def distance(one: int, other: int) -> int:
    """How many of the 16 bins of two sketches differ."""
    different = (one ^ other) & 0xFFFF_FFFF_FFFF_FFFF
    different |= different >> 1
    different |= different >> 2
    return (different & 0x1111_1111_1111_1111).bit_count()
