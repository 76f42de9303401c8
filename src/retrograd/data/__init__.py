"""Data sets, and the mini-batches of a training run.

Start reading at `dataset` (what a data set is), then `mnist` (where the two of them come from) and
`minibatch` (which examples a step sees). `fetch` and `idx` find, check and read the files.
`spool` keeps the batches of a stream that cannot be asked again.
"""

from __future__ import annotations

from .dataset import Dataset as Dataset
from .dataset import Split as Split
from .dataset import one_hot as one_hot
from .minibatch import minibatch as minibatch
from .mnist import load as load
from .spool import Spool as Spool

__all__ = ["Dataset", "Split", "Spool", "load", "minibatch", "one_hot"]
