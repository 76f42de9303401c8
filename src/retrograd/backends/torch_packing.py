"""Between one flat vector of NumPy and tensors: one conversion and one copy for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["DTYPES", "Packing"]

DTYPES = {
    torch.float64: np.dtype(np.float64),
    torch.float32: np.dtype(np.float32),
    torch.float16: np.dtype(np.float16),
}


class Packing:
    """Between one flat NumPy vector and tensors.

    The memory is PyTorch's, so that it is aligned alike each time; bits can depend on that.

    Args:
        shapes: of the leaves.
        dtypes: of the leaves.
        device: where the tensors are.
    """

    def __init__(
        self,
        shapes: Sequence[tuple[int, ...]],
        dtypes: Sequence[np.dtype[Any]],
        device: torch.device,
    ) -> None:
        self.device = device
        kinds = {numpy: kind for kind, numpy in DTYPES.items()}
        self.kinds = [kinds[dtype] for dtype in dtypes]
        self.mixed = len(set(self.kinds)) > 1
        self.kind = torch.float64 if self.mixed else self.kinds[0]
        self._places = list(_places(shapes))

    def unpack(self, flat: NDArray[Any]) -> list[Tensor]:
        """The leaves of a flat vector, on their device, in new memory."""
        whole = torch.from_numpy(flat).to(self.device, self.kind, copy=True)
        # One call per leaf: `split` and `view` would be two.
        leaves = [whole.as_strided(*place) for place in self._places]
        if not self.mixed:
            return leaves
        return [x.to(kind) for x, kind in zip(leaves, self.kinds, strict=True)]

    def pack(self, leaves: Sequence[Tensor]) -> NDArray[Any]:
        """The flat vector of leaves, new."""
        flat = torch.cat([x.detach().reshape(-1) for x in leaves])
        return flat.to("cpu", self.kind).numpy()

    def add(self, leaves: Sequence[Tensor], out: NDArray[Any]) -> None:
        """Add leaves to a flat vector."""
        out += self.pack(leaves)


# Shape, strides in elements, and first element of a leaf in the flat vector.
Place = tuple[tuple[int, ...], tuple[int, ...], int]


def _places(shapes: Sequence[tuple[int, ...]]) -> Iterator[Place]:
    first = 0
    for shape in shapes:
        yield shape, tuple(prod(shape[i:]) for i in range(1, len(shape) + 1)), first
        first += prod(shape)
