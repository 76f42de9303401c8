"""Data sets, and the mini-batches of a training run.

Start reading at `dataset` (what a data set is), then `mnist` (where the two of them come from) and
`minibatch` (which examples a step sees). `fetch` and `idx` find, check and read the files.
"""

from __future__ import annotations

from .dataset import Dataset as Dataset
from .dataset import Split as Split
from .dataset import one_hot as one_hot
from .minibatch import minibatch as minibatch
from .mnist import load as load

__all__ = ["Dataset", "Split", "load", "minibatch", "one_hot"]
