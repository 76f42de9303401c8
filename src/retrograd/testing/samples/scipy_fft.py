"""Samples of retrograd.scipy.fft."""

from __future__ import annotations

from typing import Any

import scipy.fft as sf

import retrograd.scipy.fft
from retrograd.testing.samples.sample import CUBE, MATRIX, Sample, Samples, array, calls

assert retrograd.scipy.fft  # registers SciPy's functions

_ONE: tuple[tuple[Any, ...], ...] = (
    (array(5),),
    (array(4), 7),
    (array(3, 4), 2, 0),
    (array(5), {"norm": "ortho"}),
    (array(4), None, -1, "forward"),
)
_MANY: tuple[tuple[Any, ...], ...] = (
    (array(3, 4),),
    (CUBE, (3, 5), (0, 2)),
    (array(4, 3), {"norm": "forward"}),
)
_SUMS: tuple[tuple[Any, ...], ...] = (
    *(
        (array(5), kind, {"norm": norm})
        for kind in (1, 2, 3, 4)
        for norm in (None, "ortho", "forward")
    ),
    (array(4),),
    (array(4), 2, 6),
    (array(3, 4), 3, 2, 0),
    (array(3, 4), {"axis": 0, "type": 1}),
)
_MANY_SUMS: tuple[tuple[Any, ...], ...] = (
    (array(3, 4),),
    (CUBE, 3, (2, 5)),
    (CUBE, 2, None, (0, -1)),
    (array(3, 4), {"norm": "ortho"}),
)


def _real(*given: tuple[Any, ...]) -> list[Sample]:
    return [Sample(c.args, c.kwargs, is_complex=False) for c in calls(*given)]


SAMPLES: Samples = {
    **{f: calls(*_ONE) for f in (sf.fft, sf.ifft, sf.irfft, sf.hfft)},
    **{f: _real(*_ONE) for f in (sf.rfft, sf.ihfft)},
    **{f: calls(*_MANY, (CUBE,)) for f in (sf.fftn, sf.ifftn, sf.irfftn, sf.hfftn)},
    **{f: _real(*_MANY, (CUBE, (3, 5))) for f in (sf.rfftn, sf.ihfftn)},
    **{f: calls(*_MANY) for f in (sf.fft2, sf.ifft2, sf.irfft2, sf.hfft2)},
    **{f: _real(*_MANY) for f in (sf.rfft2, sf.ihfft2)},
    **{f: calls((array(5),), (MATRIX, 1), (MATRIX,)) for f in (sf.fftshift, sf.ifftshift)},
    **{f: calls(*_SUMS) for f in (sf.dct, sf.idct, sf.dst, sf.idst)},
    **{f: calls(*_MANY_SUMS) for f in (sf.dctn, sf.idctn, sf.dstn, sf.idstn)},
}
