"""The outer loop of learning hyperparameters: what it does and what it leaves on disk."""

from __future__ import annotations

from retrograd.study.descent import MetaStep as MetaStep
from retrograd.study.descent import descend as descend
from retrograd.study.online import OnlineStep as OnlineStep
from retrograd.study.online import descend_online as descend_online
from retrograd.study.records import Record as Record
from retrograd.study.records import Recorder as Recorder
from retrograd.study.records import discard as discard
from retrograd.study.records import holds_record as holds_record
from retrograd.study.records import read as read
from retrograd.study.records import summarize as summarize

__all__ = [
    "MetaStep",
    "OnlineStep",
    "Record",
    "Recorder",
    "descend",
    "descend_online",
    "discard",
    "holds_record",
    "read",
    "summarize",
]
