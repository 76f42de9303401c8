"""Entropy coding of arrays of small integers: a stack of bits, and statistics that can be undone.

A `Pile` is an ANS coder: what was pushed last is popped first, the order in which a sweep asks. The
statistics are counts of the symbols seen so far. Coding a symbol counts it *first* and uses the
counts that contain it; decoding uses the same counts and takes the symbol out of them *afterwards*.
So no symbol ever has the probability 0, no statistics are sent, and both sides agree because the
counts are integers.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.errors import ArgumentError, ReversalError
from retrograd.lattice.ordered import bit_length, unzigzag, zigzag

__all__ = ["Pile", "Residuals", "Symbols"]

Integers = NDArray[np.int64]

_CHUNK = 16
_EXACT = 8  # residuals whose zigzag is below this are symbols of their own
_ALL = np.uint64(2**64 - 1)

_DAMAGED = "it is damaged, or the sweep predicts other numbers than the forward run did"


def _coder() -> Any:
    try:
        return import_module("constriction").stream
    except ImportError:
        raise ArgumentError(
            "entropy coding needs the package constriction, which is not installed: "
            'pip install "retrograd[coding]"'
        ) from None


class Pile:
    """A stack of bits, into which symbols of given probabilities are pushed and popped.

    Raises:
        ArgumentError: the package `constriction` is not installed.

    Example:
        >>> pile = Pile()
        >>> symbols, counts = np.tile([0, 0, 0, 2], 200), np.array([3, 0, 1])
        >>> pile.push(symbols, counts)
        >>> pile.push_uniform(np.array([4, 99]), np.array([5, 100]))
        >>> 658 < pile.bits < 690  # 200 (3 log2(4/3) + log2(4)) + log2(500), and a head
        True
        >>> pile.pop_uniform(np.array([5, 100]))
        array([ 4, 99])
        >>> np.array_equal(pile.pop(800, counts), symbols)
        True
        >>> pile.is_empty()
        True

    References:
        Duda, Asymmetric numeral systems, 2013, arXiv:1311.2540.
        Bamler, Understanding entropy coding with asymmetric numeral systems (ANS): a
        statistician's perspective, 2022, arXiv:2201.01741 (the package constriction).
    """

    def __init__(self) -> None:
        self._stream = _coder()
        self._ans = self._stream.stack.AnsCoder()
        self._uniform = self._stream.model.Uniform()
        self._chunk = self._stream.model.Uniform(1 << _CHUNK)

    @property
    def bits(self) -> int:
        """The bits on the pile."""
        return self._ans.num_valid_bits()

    @property
    def nbytes(self) -> int:
        """The bytes of the pile: whole 32-bit words."""
        return self._ans.num_bits() // 8

    def is_empty(self) -> bool:
        """Whether everything has been popped."""
        return self._ans.is_empty()

    def export(self) -> NDArray[np.uint32]:
        """The pile as an array, to be saved."""
        return self._ans.get_compressed()

    def load(self, words: NDArray[np.uint32]) -> None:
        """Put in place what `export` gave."""
        self._ans = self._stream.stack.AnsCoder(np.asarray(words, np.uint32))

    def push(self, symbols: Integers, counts: Integers) -> None:
        """Push symbols whose probabilities are in proportion to `counts`, of which none is 0."""
        present = np.flatnonzero(counts)
        if len(present) > 1 and len(symbols):
            places = (np.cumsum(counts > 0) - 1).astype(np.int32)
            self._ans.encode_reverse(places[symbols], self._categorical(counts[present]))

    def pop(self, number: int, counts: Integers) -> Integers:
        """Pop as many symbols as were pushed with these counts, in the order they had then.

        Raises:
            ReversalError: no symbol has a count.
        """
        present = np.flatnonzero(counts)
        if not len(present) and number:
            raise ReversalError(f"the code has no symbol for what is asked; {_DAMAGED}")
        if len(present) < 2 or not number:
            return np.repeat(present[:1], number)
        places = self._ans.decode(self._categorical(counts[present]), number)
        return present[places]

    def push_uniform(self, numbers: Integers, sizes: Integers) -> None:
        """Push numbers below `sizes` (2 to 2**16 each), all equally likely."""
        if len(numbers):
            self._ans.encode_reverse(
                numbers.astype(np.int32), self._uniform, sizes.astype(np.int32)
            )

    def pop_uniform(self, sizes: Integers) -> Integers:
        """Pop what was pushed with these sizes."""
        if not len(sizes):
            return np.zeros(0, np.int64)
        return self._ans.decode(self._uniform, sizes.astype(np.int32)).astype(np.int64)

    def push_digits(self, naturals: NDArray[np.uint64], widths: Integers) -> None:
        """Push unsigned integers below 2**widths bit by bit, in chunks of 16."""
        for lowest in range(0, int(widths.max(initial=0)), _CHUNK):
            part = naturals >> np.uint64(lowest)
            whole = widths >= lowest + _CHUNK
            low = (part[whole] & np.uint64((1 << _CHUNK) - 1)).astype(np.int32)
            if len(low):
                self._ans.encode_reverse(low, self._chunk)
            last = ~whole & (widths > lowest)
            self.push_uniform(part[last].astype(np.int64), 1 << (widths[last] - lowest))

    def pop_digits(self, widths: Integers) -> NDArray[np.uint64]:
        """Pop what was pushed with these widths."""
        naturals = np.zeros(len(widths), np.uint64)
        for lowest in reversed(range(0, int(widths.max(initial=0)), _CHUNK)):
            whole = widths >= lowest + _CHUNK
            last = ~whole & (widths > lowest)
            high = self.pop_uniform(1 << (widths[last] - lowest))
            naturals[last] |= high.astype(np.uint64) << np.uint64(lowest)
            if number := int(np.count_nonzero(whole)):
                low = self._ans.decode(self._chunk, number)
                naturals[whole] |= low.astype(np.uint64) << np.uint64(lowest)
        return naturals

    def _categorical(self, counts: Integers) -> Any:
        return self._stream.model.Categorical(counts / counts.sum(), perfect=False)


class Symbols:
    """An adaptive code for symbols in contexts: how often each has occurred in each context.

    Attributes:
        counts: (contexts, symbols) int64, which grows to hold what occurs.

    Example:
        >>> pile, code = Pile(), Symbols()
        >>> symbols, contexts = np.array([0, 0, 2, 0]), np.array([0, 0, 1, 0])
        >>> code.push(pile, symbols, contexts)
        >>> code.pop(pile, contexts)
        array([0, 0, 2, 0])
        >>> pile.is_empty() and code.is_empty()
        True
    """

    def __init__(self) -> None:
        self.counts: Integers = np.zeros((0, 0), np.int64)

    def push(self, pile: Pile, symbols: Integers, contexts: Integers) -> None:
        """Count symbols in their contexts, then push them.

        Args:
            pile: grows.
            symbols: (N,) int64, from 0.
            contexts: (N,) int64, from 0.
        """
        self._grow(contexts.max(initial=-1) + 1, symbols.max(initial=-1) + 1)
        np.add(self.counts, self._tally(symbols, contexts), out=self.counts)
        for context, members in reversed(_groups(contexts)):
            pile.push(symbols[members], self.counts[context])

    def pop(self, pile: Pile, contexts: Integers) -> Integers:
        """Pop symbols, given their contexts, then take them out of the counts.

        Raises:
            ReversalError: these cannot be the contexts or the pile of the forward run.
        """
        if contexts.max(initial=-1) >= len(self.counts):
            raise ReversalError(f"the code has no such context; {_DAMAGED}")
        symbols = np.zeros(len(contexts), np.int64)
        for context, members in _groups(contexts):
            symbols[members] = pile.pop(len(members), self.counts[context])
        np.subtract(self.counts, self._tally(symbols, contexts), out=self.counts)
        if self.counts.min(initial=0) < 0:
            raise ReversalError(
                f"the code gives a symbol more often than the forward run had it; {_DAMAGED}"
            )
        return symbols

    @property
    def nbytes(self) -> int:
        """The bytes of the counts."""
        return self.counts.nbytes

    def is_empty(self) -> bool:
        """Whether as many symbols were popped as were pushed."""
        return not self.counts.any()

    def _grow(self, contexts: int, symbols: int) -> None:
        more = np.maximum(np.array([contexts, symbols]) - self.counts.shape, 0)
        if more.any():
            self.counts = np.pad(self.counts, [(0, int(more[0])), (0, int(more[1]))])

    def _tally(self, symbols: Integers, contexts: Integers) -> Integers:
        width = self.counts.shape[1]
        flat = np.bincount(contexts * width + symbols, minlength=self.counts.size)
        return flat.reshape(self.counts.shape)


def _groups(contexts: Integers) -> list[tuple[int, Integers]]:
    """Each context that occurs, with the places where it does."""
    if not len(contexts):
        return []
    order = np.argsort(contexts.astype(np.int16), kind="stable")
    ends = np.cumsum(np.bincount(contexts))
    parts = np.split(order, ends[:-1])
    return [(context, part) for context, part in enumerate(parts) if len(part)]


class Residuals:
    """An adaptive code for residuals, signed integers of unknown scale.

    The zigzag of a residual is a symbol of its own if it is below 8. Of a larger one the symbol
    tells its bit length and the two digits after the first; the other digits are taken as evenly
    distributed.

    Example:
        >>> pile, code = Pile(), Residuals()
        >>> residuals, contexts = np.array([0, -3, 1, 123456789]), np.zeros(4, np.int64)
        >>> code.push(pile, residuals, contexts)
        >>> code.pop(pile, contexts, np.int64)
        array([ 0, -3, 1, 123456789])
        >>> pile.is_empty()
        True
    """

    def __init__(self) -> None:
        self.symbols = Symbols()

    def push(self, pile: Pile, residuals: NDArray[Any], contexts: Integers) -> None:
        """Push residuals of any signed dtype."""
        naturals = zigzag(residuals).astype(np.uint64)
        symbols, widths = _symbols_of(naturals)
        pile.push_digits(naturals & ~(_ALL << widths.astype(np.uint64)), widths)
        self.symbols.push(pile, symbols, contexts)

    def pop(self, pile: Pile, contexts: Integers, dtype: Any) -> NDArray[Any]:
        """Pop residuals of a dtype, given their contexts."""
        symbols = self.symbols.pop(pile, contexts)
        heads, widths = _heads_of(symbols)
        naturals = heads | pile.pop_digits(widths)
        return unzigzag(naturals.astype(f"u{np.dtype(dtype).itemsize}"))


def _symbols_of(naturals: NDArray[np.uint64]) -> tuple[Integers, Integers]:
    """The symbols of zigzags, and how many digits each leaves."""
    length = bit_length(naturals)
    large = length > 3
    widths = np.where(large, length - 3, 0)
    lead = (naturals >> widths.astype(np.uint64)).astype(np.int64)
    return np.where(large, _EXACT + 4 * (length - 4) + (lead & 3), lead), widths


def _heads_of(symbols: Integers) -> tuple[NDArray[np.uint64], Integers]:
    """The zigzags of symbols with their last digits 0, and how many digits those are."""
    large = symbols >= _EXACT
    rest = np.where(large, symbols - _EXACT, 0)
    widths = np.where(large, rest // 4 + 1, 0)
    lead = np.where(large, 4 + rest % 4, symbols).astype(np.uint64)
    return lead << widths.astype(np.uint64), widths
