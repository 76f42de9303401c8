"""Samples of rules/fft.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.testing.samples.sample import CUBE, MATRIX, Sample, Samples, array, calls

ft = np.fft

# Even and odd lengths, cropping and zero-padding, axes, normalisations.
_ONE: tuple[tuple[Any, ...], ...] = (
    (array(4),),
    (array(5),),
    (array(5), 3),
    (array(4), 7),
    (array(4), 2),
    (MATRIX, None, 0),
    (array(3, 4), 5, -2),
    (array(4), None, -1, "ortho"),
    (array(5), {"norm": "forward"}),
    (array(5), {"norm": "backward", "n": 6}),
    (MATRIX, {"axis": 0, "norm": "ortho"}),
)
_MANY: tuple[tuple[Any, ...], ...] = (
    (array(3, 4),),
    (array(4, 3),),
    (CUBE, None, (0, 1)),
    (CUBE, (3, 5), (0, 2)),
    (CUBE, (2, 2), (2, 1)),
    (array(3, 4), {"norm": "ortho"}),
    (CUBE, {"axes": (-1, 0), "norm": "forward"}),
    (array(4, 3), {"s": (2, 6), "axes": (1, 0), "norm": "backward"}),
    (CUBE, (-1, 3), (1, 2)),
)
_SHIFTS: tuple[tuple[Any, ...], ...] = (
    (array(5),),
    (array(4),),
    (array(3, 4),),
    (array(3, 5), 1),
    (CUBE, {"axes": (0, -1)}),
)


def _real(*given: tuple[Any, ...]) -> list[Sample]:
    return [Sample(c.args, c.kwargs, is_complex=False) for c in calls(*given)]


SAMPLES: Samples = {
    ft.fft: calls(*_ONE),
    ft.ifft: calls(*_ONE),
    ft.rfft: _real(*_ONE),
    ft.irfft: calls(*_ONE),
    ft.hfft: calls(*_ONE),
    ft.ihfft: _real(*_ONE),
    ft.fftn: calls(*_MANY, (CUBE,)),
    ft.ifftn: calls(*_MANY, (CUBE,)),
    ft.rfftn: _real(*_MANY, (CUBE,)),
    ft.irfftn: calls(*_MANY, (CUBE,)),
    ft.fft2: calls(*_MANY, (CUBE,)),
    ft.ifft2: calls(*_MANY, (CUBE,)),
    ft.rfft2: _real(*_MANY, (CUBE,)),
    ft.irfft2: calls(*_MANY, (CUBE,)),
    ft.fftshift: calls(*_SHIFTS),
    ft.ifftshift: calls(*_SHIFTS),
}
