"""The stack of numbers: as a list does it, whatever the sizes, with little memory unused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrograd.errors import ReversalError
from retrograd.lattice.stack import Stack

pushes = st.tuples(st.just("push"), st.integers(0, 3000))
pops = st.tuples(st.just("pop"), st.floats(0, 1))


@given(st.lists(pushes | pops, max_size=40))
def test_behaves_as_a_list(actions: list[tuple[str, float]]) -> None:
    stack, model, start = Stack(np.uint16), [], 0
    for action, amount in actions:
        if action == "push":
            numbers = np.arange(start, start + int(amount))
            stack.push(numbers)
            model += (numbers % 2**16).tolist()
            start += int(amount)
        else:
            count = int(amount * len(model))
            assert stack.pop(count).tolist() == model[len(model) - count :]
            del model[len(model) - count :]
        assert len(stack) == len(model)
        assert stack.nbytes == 2 * len(model)
    assert stack.export().tolist() == model
    copy = Stack(np.uint16)
    copy.load(stack.export())
    assert copy.pop(len(model)).tolist() == model


@pytest.mark.parametrize("size", [1, 7, 1000, 50_000])
def test_takes_little_more_memory_than_its_numbers(size: int) -> None:
    stack = Stack(np.int64)
    numbers = np.arange(size)
    while len(stack) < 200_000:
        stack.push(numbers)
        room = sum(chunk.nbytes for chunk in stack._chunks)
        assert room <= stack.nbytes * 17 / 16 + 8 * 2**10
    while len(stack):
        stack.pop(size)
        room = sum(chunk.nbytes for chunk in stack._chunks)
        assert room <= stack.nbytes * 17 / 16 + 8 * max(2**10, size)
    assert stack._chunks == []


def test_refuses_to_give_more_than_it_has() -> None:
    stack = Stack(np.int64)
    stack.push(np.array([1, 2]))
    with pytest.raises(ReversalError, match="holds 2 numbers and 3 are asked for; undo what was"):
        stack.pop(3)
    assert stack.pop(2).tolist() == [1, 2]


def test_top_reads_across_chunks() -> None:
    stack = Stack(np.int64)
    for number in range(3000):
        stack.push(np.array([number, -number]))
    while len(stack):
        number = len(stack) // 2 - 1
        assert (stack.top(2), stack.top(1)) == (number, -number)
        stack.pop(2 if number % 3 else 1)
        if len(stack) % 2:
            assert stack.top(1) == number
            stack.pop(1)


def test_clear_takes_everything_off() -> None:
    stack = Stack(np.uint16)
    stack.push(np.arange(5000))
    stack.clear()
    assert (len(stack), stack.export().size) == (0, 0)
