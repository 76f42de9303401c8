"""What has no derivative rule on purpose, by reason, and what a rule does not cover.

Every public name of `numpy`, `numpy.linalg` and `numpy.fft` is differentiable, constant, or here.
Names that this NumPy does not have are skipped: they come and go with its versions.
"""

from __future__ import annotations

__all__ = ["LEFT_OUT", "NOT_COVERED"]

# By reason: names as in `numpy`, those of submodules with the module in front.
LEFT_OUT: dict[str, tuple[str, ...]] = {
    "work on whole numbers and bits": (
        "bitwise_and", "bitwise_count", "bitwise_invert", "bitwise_left_shift", "bitwise_not",
        "bitwise_or", "bitwise_right_shift", "bitwise_xor", "gcd", "invert", "lcm", "left_shift",
        "packbits", "right_shift", "unpackbits",
    ),
    "make indices": (
        "broadcast_shapes", "diag_indices", "indices", "mask_indices", "ravel_multi_index",
        "tril_indices", "triu_indices", "unravel_index",
    ),
    "ask whether floats are exactly equal; sort, or take `np.unique`": (
        "in1d", "intersect1d", "setdiff1d", "setxor1d", "union1d",
    ),
    "are windows and grids of a given number of points; write a traced width as a formula "
    "(`np.i0` for `kaiser`, `np.fft.fftfreq(n) / d`)": (
        "bartlett", "blackman", "fft.fftfreq", "fft.rfftfreq", "hamming", "hanning", "kaiser",
    ),
    "read and write files, text and memory": (
        "array2string", "array_repr", "array_str", "base_repr", "binary_repr",
        "format_float_positional", "format_float_scientific", "from_dlpack", "frombuffer",
        "fromfile", "fromiter", "fromregex", "fromstring", "genfromtxt", "load", "loadtxt", "save",
        "savetxt", "savez", "savez_compressed",
    ),
    "answer questions about types and objects": (
        "isdtype", "isfortran", "isscalar", "issubdtype", "iterable", "mintypecode",
        "promote_types", "typename",
    ),
    "are about dates": (
        "busday_count", "busday_offset", "busdaycalendar", "datetime_as_string", "datetime_data",
        "is_busday", "isnat",
    ),
    "make objects that cannot hold a derivative; write loops, or broadcast (`np.stack`, "
    "`np.polyval`)": (
        "asmatrix", "bmat", "frompyfunc", "matrix", "memmap", "nested_iters", "nditer", "poly1d",
        "recarray", "record", "vectorize",
    ),
    "are objects for indexing and iteration (`mgrid` and `ogrid` take traced bounds; in the place "
    "of `r_` and `c_` use `np.concatenate` and `np.stack`)": (
        "broadcast", "c_", "flatiter", "index_exp", "mgrid", "ndenumerate", "ndindex", "ogrid",
        "r_", "s_",
    ),
    "describe arrays, types and functions": ("dtype", "finfo", "iinfo", "ndarray", "ufunc"),
    "are NumPy's settings and self-description": (
        "errstate", "fft.test", "get_include", "get_printoptions", "getbufsize", "geterr",
        "geterrcall", "info", "linalg.test", "printoptions", "set_printoptions", "setbufsize",
        "seterr", "seterrcall", "show_config", "show_runtime", "test",
    ),
    "are deprecated names of others": ("row_stack", "trapz"),
}  # fmt: skip

# By full name; what a derivative rule refuses, with an error that names the cure.
NOT_COVERED: dict[str, str] = {
    "numpy.cov": "traced `fweights`",
    "numpy.linalg.cond": "traced `p`",
    "numpy.linalg.matrix_norm": "traced `ord`",
    "numpy.linalg.norm": "traced `ord`",
    "numpy.linalg.qr": "tall matrices with `mode='complete'`, `mode='raw'`",
    "numpy.linalg.svd": "`hermitian=True`",
    "numpy.linalg.vector_norm": "traced `ord`",
    "numpy.pad": "`mode='empty'`, a function as `mode`",
    "numpy.piecewise": "an integer `x`",
    "numpy.polyfit": "`full=True`, `cov=True`",
    "numpy.polyval": "a `poly1d` as `x`",
    "numpy.std": "`dtype=` with complex numbers",
    "numpy.var": "`dtype=` with complex numbers",
    "numpy.reshape": "`order='A'` and `'K'`, if the memory is not in the order of C",
    "numpy.ravel": "`order='A'` and `'K'`, if the memory is not in the order of C",
    "scipy.integrate.odeint": "`full_output=True`",
    "scipy.integrate.quad": "`full_output=True`, `weight=`, `complex_func=`",
    "scipy.integrate.solve_ivp": "`events=`, `dense_output=True`",
    "scipy.linalg.block_diag": "stacks of matrices",
    "scipy.linalg.eig": "`b=`, `left=`, `homogeneous_eigvals=`",
    "scipy.linalg.eigh": "`subset_by_index=`, `subset_by_value=`, `type=2` and `3`",
    "scipy.linalg.lstsq": "`lapack_driver='gelsy'`",
    "scipy.linalg.lu_factor": "matrices that are not square",
    "scipy.linalg.qr": "tall matrices with `mode='full'`, `mode='raw'`",
    "scipy.optimize.fsolve": "`full_output=True`",
    "scipy.optimize.minimize": "`constraints=`, traced `bounds`",
    "scipy.optimize.newton": "`full_output=True`",
    "scipy.optimize.root": "`jac=True`",
    "scipy.optimize.root_scalar": "`fprime=True`",
    "scipy.signal.sosfilt": "`zi=`",
}
