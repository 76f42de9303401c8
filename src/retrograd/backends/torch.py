"""PyTorch, with derivatives by its autograd.

The derivative of the gradient is taken by differentiating twice in reverse: of what PyTorch offers
that is the quickest here (`benchmarks/torch_derivatives.py`), and its first half runs the kernels
of the plain gradient, so that the bits are the same.

The operations of one step are not recorded and replayed at the others, which would spare what
autograd costs: equal bits of the gradient do not prove that a record is the loss of another step,
since a term may come in there whose gradient is zero and whose Hessian is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from retrograd.autodiff import tree
from retrograd.backends.torch_compiled import CompiledLoss
from retrograd.backends.torch_environment import Environment
from retrograd.backends.torch_function import (
    Call,
    beneath_transforms,
    call,
    is_wrapped,
    refuse_transforms,
    unwrapped,
)
from retrograd.backends.torch_packing import DTYPES, Packing
from retrograd.errors import ArgumentError, DifferentiationError

__all__ = ["TorchBackend", "backend_for", "host_array"]

Loss = Callable[[Any, Any, int], Any]
Rebuild = Callable[[Sequence[Any]], Any]


def backend_for(leaves: Iterable[Any]) -> TorchBackend:
    """The backend for leaves, of which the first tensor tells the device."""
    tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    if any(x.is_meta for x in tensors):
        raise ArgumentError(
            "the weights, hyper or the hyperparameters of the optimizer hold tensors on the meta "
            "device, which have no numbers; make them on the device of the run, a module's by "
            "module.to_empty(device=...) and its initialisation"
        )
    if any(x.is_nested for x in tensors):
        raise ArgumentError(
            "the weights, hyper or the hyperparameters of the optimizer hold a nested tensor; give "
            "a list of its parts, x.unbind()"
        )
    refuse_transforms(tensors)
    return TorchBackend(tensors[0].device)


def host_array(x: Any) -> NDArray[Any]:
    """The numbers of a tensor as a NumPy array, which may share its memory.

    Of a dtype that NumPy does not have, the bytes.
    """
    if not isinstance(x, Tensor):
        return np.asarray(x)
    with beneath_transforms():
        plain = unwrapped(x).detach().cpu().resolve_conj().resolve_neg()
        if plain.layout != torch.strided:
            plain = plain.to_dense()
        try:
            return plain.numpy()
        except TypeError:
            return plain.contiguous().flatten().view(torch.uint8).numpy()


class TorchBackend:
    """What training asks of PyTorch. Loss functions are called as `loss(w, hyper, step)`.

    Args:
        device: where the loss works, and where the results will be; the processor by default.
    """

    name = "torch"
    xp = torch
    promotes = False
    random = (
        "retrograd.data.minibatch or a torch.Generator seeded with the step for batches, "
        "retrograd.torch.seeded(loss, seed) for dropout and the like, or module.eval()"
    )

    flatten = staticmethod(tree.flatten)
    unflatten = staticmethod(tree.unflatten)
    leaf_names = staticmethod(tree.names)

    def __init__(self, device: Any = "cpu") -> None:
        self.device = torch.device(device)
        self.environment = Environment(self.device)
        # Whether what a loss uses by closure is looked for: not where the caller wants no
        # derivatives. And the kinds of operations that have been seen.
        self._looking = torch.is_grad_enabled()
        self._seen: set[type] = set()
        # Whether a plain gradient is evaluated with a graph, as the sweep evaluates it.
        self._aligned = False
        # The leaves of `hyper` that compiled gradients are differentiated for, when that is known.
        self._followed: list[Tensor] | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What has no deterministic implementation on this device."""
        return self.environment.notes

    @staticmethod
    def array(x: Any) -> Any:
        """A float64 tensor in the host's memory, differentiably: a sweep's tables lie there."""
        if isinstance(x, list | tuple):
            return torch.stack([TorchBackend.array(part) for part in x])
        plain = x if isinstance(x, Tensor) else torch.from_numpy(np.array(x, float))
        if plain.is_complex():
            raise TypeError("complex numbers are no hyperparameters of an optimizer")
        return plain.to("cpu", torch.float64)

    @staticmethod
    def concatenate(arrays: Sequence[Tensor], axis: int) -> Tensor:
        """Arrays joined."""
        return torch.cat(list(arrays), dim=axis)

    @staticmethod
    def broadcast_to(x: Tensor, shape: tuple[int, ...]) -> Tensor:
        """An array in another shape."""
        return torch.broadcast_to(x, shape)

    @staticmethod
    def root(x: Tensor) -> Tensor:
        """The square root, with the derivative 0 at 0."""
        zero = x == 0
        return torch.where(zero, 0.0, torch.where(zero, 1.0, x).sqrt())

    @staticmethod
    def value_of(x: Any) -> Any:
        """A tensor without its graph; anything else as it is."""
        if not isinstance(x, Tensor):
            return x
        with beneath_transforms():
            return unwrapped(x).detach()

    @staticmethod
    def is_traced(x: Any) -> bool:
        """Whether a derivative with respect to `x` may be asked for."""
        if not isinstance(x, Tensor):
            return False
        return is_wrapped(x) or (x.requires_grad and torch.is_grad_enabled())

    @staticmethod
    def is_smooth(x: Any) -> bool:
        """Whether `x` could have a derivative: a tensor of floats. Others are constants here."""
        return isinstance(x, Tensor) and (x.is_floating_point() or x.is_complex())

    @staticmethod
    def dtype_of(x: Any) -> np.dtype[Any] | None:
        """NumPy's dtype of an array or Python float; None if there is none."""
        if isinstance(x, Tensor):
            return DTYPES.get(x.dtype)
        return getattr(x, "dtype", np.dtype(float) if isinstance(x, float) else None)

    to_host = staticmethod(host_array)

    def from_host(self, arrays: Sequence[NDArray[Any]]) -> list[Tensor]:
        """NumPy arrays as tensors on the device; on the processor they share memory."""
        tensors = [torch.from_numpy(x) for x in arrays]
        if self.device.type == "cpu":
            return tensors
        return [x.to(self.device) for x in tensors]

    def packing(
        self, shapes: Sequence[tuple[int, ...]], dtypes: Sequence[np.dtype[Any]]
    ) -> Packing:
        """How leaves of these shapes and dtypes lie in one flat vector."""
        return Packing(shapes, dtypes, self.device)

    @staticmethod
    def zeros_like(x: Tensor) -> Tensor:
        """Zeros in the place of a leaf."""
        return torch.zeros_like(x)

    @staticmethod
    def accumulated(total: Tensor | None, part: Tensor, like: Tensor) -> Tensor:
        """A sum of cotangents, with one more part; the total is changed in place."""
        if total is None:
            return part.detach().to(like.dtype, copy=True)
        return total.add_(part)

    @contextmanager
    def kept_by_derivative(self) -> Iterator[_Saved]:
        """Counts the bytes of the tensors that graphs built in the block keep."""
        saved = _Saved()
        with torch.autograd.graph.saved_tensors_hooks(saved.pack, saved.unpack):
            yield saved

    def vjp(self, function: Callable[..., Any], *args: Any) -> tuple[Any, Callable[[Any], Any]]:
        """The result, and from its cotangent those of the arguments (None for constants)."""
        leaves, structure = tree.flatten(list(args))
        leaves = [_leaf(x) if self.is_smooth(x) else x for x in leaves]
        inputs = [x for x in leaves if isinstance(x, Tensor) and x.requires_grad]
        with torch.enable_grad(), _explained():
            result = function(*tree.unflatten(structure, leaves))
        found, result_structure = tree.flatten(result)
        self._look(found, inputs)

        def pullback(cotangents: Any) -> Any:
            given = tree.like(result_structure, cotangents, "vjp")
            bars = dict(zip(map(id, inputs), _pulled(found, given, inputs), strict=True))
            return tree.unflatten(structure, [bars.get(id(x)) for x in leaves])

        plain = [self.value_of(x) for x in found]
        return tree.unflatten(result_structure, plain), pullback

    def value_and_gradient(self, loss: Loss, w: Any, hyper: Any, step: int) -> tuple[Any, Any]:
        """The loss and its gradient with respect to `w`."""
        if isinstance(loss, CompiledLoss):
            found, value, _ = self._compiled(loss, w, hyper, step)
            plain = [g.detach() for g in found]
            return value.detach(), tree.unflatten(tree.flatten(w)[1], plain)
        leaves, structure, value = self._evaluated(loss, w, hyper, step, ())
        with _explained():
            gradient = _gradient(value, leaves, create_graph=self._aligned)
        plain = [g.detach() for g in gradient]
        return value.detach(), tree.unflatten(structure, plain)

    def gradient_along(
        self,
        loss: Loss,
        w: Any,
        active: Sequence[Any],
        rebuild: Rebuild,
        step: int,
        direction: Any,
    ) -> tuple[Any, Any, list[Any]]:
        """The gradient at `w`, and its derivative in a direction: reverse over reverse mode."""
        gradient, along = self.linearized_gradient(loss, w, active, rebuild, step)
        return gradient, *along(direction)

    def linearized_gradient(
        self, loss: Loss, w: Any, active: Sequence[Any], rebuild: Rebuild, step: int
    ) -> tuple[Any, Callable[[Any], tuple[Any, list[Any]]]]:
        """`gradient_along` in two halves, for a direction that depends on the gradient.

        The second half can be called once: it gives the graph's memory back as it goes.
        """
        if isinstance(loss, CompiledLoss):
            return self._compiled_twice(loss, w, active, rebuild(active), step)
        given = [_leaf(x) for x in active]
        leaves, structure, value = self._evaluated(loss, w, rebuild(given), step, given)
        with _explained():
            gradient = _gradient(value, leaves, create_graph=True)

        def along(direction: Any) -> tuple[Any, list[Any]]:
            with _explained():
                bars = tree.leaves(direction)
                found = _pulled(gradient, bars, [*leaves, *given], keep=False)
            return tree.unflatten(structure, found[: len(leaves)]), found[len(leaves) :]

        return tree.unflatten(structure, [g.detach() for g in gradient]), along

    def align(self) -> bool:
        """Evaluate plain gradients with a graph: some formulas of PyTorch ask if there is one."""
        before, self._aligned = self._aligned, True
        return not before

    def differentiable(
        self, name: str, run: Callable[..., Any], sweep: Callable[..., Any], *inputs: Any
    ) -> tuple[Any, ...]:
        """Call `run(*inputs)`, which returns a tuple of arrays, as one node of the graph."""
        return call(Call(name, run, sweep, self.environment), inputs)

    def _compiled_twice(
        self, loss: CompiledLoss, w: Any, active: Sequence[Any], hyper: Any, step: int
    ) -> tuple[Any, Callable[[Any], tuple[Any, list[Any]]]]:
        first = self._followed is None
        self._followed = list(active) if self._followed is None else self._followed
        evaluated: Any = self._compiled(loss, w, hyper, step)
        if first:
            self._aligned = False  # plain gradients are evaluated by another program from here on
        gradient = [g.detach() for g in evaluated[0]]
        structure = tree.flatten(w)[1]
        places = [next(i for i, x in enumerate(self._followed) if x is y) for y in active]

        def along(direction: Any) -> tuple[Any, list[Any]]:
            nonlocal evaluated
            # A compiled program for the derivative uses up what it starts from.
            found, _, begun = evaluated or self._compiled(loss, w, hyper, step)
            evaluated = None
            count = len(found)
            with _explained():
                inputs = [*begun[:count], *[begun[count + i] for i in places]]
                bars = _pulled(found, tree.leaves(direction), inputs, keep=False)
            return tree.unflatten(structure, bars[:count]), bars[count:]

        return tree.unflatten(structure, gradient), along

    def _compiled(
        self, loss: CompiledLoss, w: Any, hyper: Any, step: int
    ) -> tuple[list[Tensor], Tensor, list[Tensor]]:
        """As `CompiledLoss.gradient`, by the program that the sweep uses as soon as it is known."""
        if self._looking and not self._seen:
            # A compiled loss shows less of itself: look at the plain one first.
            self._evaluated(loss.loss, w, hyper, step, ())
        with torch.enable_grad(), _explained():
            gradient, value, begun = loss.gradient(w, hyper, step, self._followed or [])
        self._look([*gradient, value], begun)
        return gradient, value, begun

    def _evaluated(
        self, loss: Loss, w: Any, hyper: Any, step: int, given: Sequence[Tensor]
    ) -> tuple[list[Tensor], Any, Tensor]:
        """The weights' leaves as leaves of a graph, their structure, and the loss of them."""
        leaves, structure = tree.flatten(w)
        leaves = [_leaf(x) for x in leaves]
        if torch.is_inference_mode_enabled():
            raise ArgumentError(
                "train: it was called in torch.inference_mode(), in which PyTorch takes no "
                "gradients; call it outside, or in torch.no_grad() where none is wanted of the run"
            )
        versions = [x._version for x in leaves]
        with torch.enable_grad(), _explained():
            value = loss(tree.unflatten(structure, leaves), hyper, step)
        if versions != [x._version for x in leaves]:
            raise ArgumentError(_WRITTEN)
        _check_loss(value)
        self._look([value], [*leaves, *given])
        return leaves, structure, value

    def _look(self, found: Sequence[Any], given: Sequence[Tensor]) -> None:
        """Refuse what would make a derivative wrong without an error: a loss may differ by step."""
        if not self._looking:
            return
        known = {id(x) for x in given}
        for node in _nodes(found):
            kind = type(node)
            if kind in self._seen:
                continue
            if kind.__name__ == "AccumulateGrad":
                if id(node.variable) in known:
                    continue
                raise DifferentiationError(
                    f"it uses a tensor of shape {tuple(node.variable.shape)} that requires a "
                    "gradient and that it was not handed (by closure, such as a module's own "
                    "parameters), so its derivative would be lost; hand it over as weights or "
                    "hyper (retrograd.torch.functional(module) calls a module with weights), or "
                    "detach it"
                )
            self._seen.add(kind)
            if node.name() in _ASKING:
                self.align()
            function: Any = getattr(node, "_forward_cls", None)
            if getattr(getattr(function, "backward", None), "__code__", None) is _ONCE:
                raise DifferentiationError(
                    f"{function.__name__} is marked with once_differentiable, and the way back "
                    "through training needs the second derivative; write its backward in "
                    "operations of PyTorch, and leave the mark out"
                )


class _Saved:
    """What graphs keep: each piece of memory counted once."""

    def __init__(self) -> None:
        self._pieces: dict[int, int] = {}

    @property
    def nbytes(self) -> int:
        return sum(self._pieces.values())

    def pack(self, x: Tensor) -> Tensor:
        if x.layout == torch.strided:
            memory = x.untyped_storage()
            self._pieces[memory.data_ptr()] = memory.nbytes()
        return x

    @staticmethod
    def unpack(x: Tensor) -> Tensor:
        return x


def _leaf(x: Any) -> Tensor:
    """A tensor of its own, at which a graph begins."""
    return x.detach().requires_grad_()


def _gradient(value: Tensor, leaves: Sequence[Tensor], *, create_graph: bool) -> list[Tensor]:
    found = torch.autograd.grad(value, leaves, create_graph=create_graph, allow_unused=True)
    return _materialized(found, leaves)


def _pulled(
    results: Sequence[Any], bars: Sequence[Any], inputs: Sequence[Tensor], *, keep: bool = True
) -> list[Tensor]:
    """The cotangents of inputs, zeros where results do not depend on them."""
    smooth = [
        (x, bar)
        for x, bar in zip(results, bars, strict=True)
        if bar is not None and isinstance(x, Tensor) and x.requires_grad
    ]
    if not smooth:
        return [torch.zeros_like(x) for x in inputs]
    given = [x for x, _ in smooth], [bar for _, bar in smooth]
    found = torch.autograd.grad(given[0], inputs, given[1], retain_graph=keep, allow_unused=True)
    return _materialized(found, inputs)


def _materialized(found: Sequence[Tensor | None], inputs: Sequence[Tensor]) -> list[Tensor]:
    return [
        torch.zeros_like(x) if bar is None else bar for x, bar in zip(inputs, found, strict=True)
    ]


def _check_loss(value: Any) -> None:
    if isinstance(value, Tensor) and value.ndim == 0 and value.is_floating_point():
        if value.requires_grad:
            return
        raise ArgumentError(
            "loss: it does not depend on the weights that it was handed; compute it from w "
            "(retrograd.torch.functional(module) calls a module with weights), without detach() "
            "or torch.no_grad()"
        )
    shown = (
        f"a tensor of shape {tuple(value.shape)}, {value.dtype}"
        if isinstance(value, Tensor)
        else f"{value!r:.60}"
    )
    raise ArgumentError(f"loss: it returned {shown}; return one real number, a tensor of shape ()")


def _nodes(found: Sequence[Any]) -> list[Any]:
    """The nodes of the graphs of results."""
    nodes: list[Any] = [
        torch.autograd.graph.get_gradient_edge(x).node
        for x in found
        if isinstance(x, Tensor) and x.requires_grad
    ]
    seen = set(nodes)
    for node in nodes:  # which grow meanwhile
        for parent, _ in node.next_functions:
            if parent is not None and parent not in seen:
                seen.add(parent)
                nodes.append(parent)
    return nodes


# Operations whose derivative is another formula where a second one may follow (those that say
# GradMode in PyTorch's derivatives.yaml): its bits are others, if not at each point.
_ASKING = {
    f"{name}Backward0"
    for name in (
        "Silu", "Mish", "Logit", "NativeDropout", "NativeGroupNorm", "FusedRmsNorm",
        "WeightNormInterface", "MkldnnRnnLayer", "ThnnFusedLstmCell", "ThnnFusedGruCell",
    )
}  # fmt: skip

# The code of what that decorator returns: PyTorch keeps no other sign of it. Where no cotangent
# depends on the weights it raises no error either, and the second derivative would be zero.
_ONCE = torch.autograd.function.once_differentiable(lambda ctx: None).__code__


@contextmanager
def _explained() -> Iterator[None]:
    """Errors of PyTorch about missing second derivatives and writing in place, with a cure."""
    try:
        yield
    except RuntimeError as error:
        text = str(error)
        if text.startswith("a leaf Variable that requires grad is being used in an in-place"):
            raise ArgumentError(_WRITTEN) from error
        if text.startswith("Can't call numpy() on Tensor that requires grad"):
            raise ArgumentError(_IN_NUMPY) from error
        if not any(sign in text for sign in _NOT_TWICE):
            raise
        raise DifferentiationError(
            f"PyTorch cannot differentiate it twice, which the way back through training needs "
            f"({text.splitlines()[0]}). Use operations that can: "
            "torch.backends.cudnn.flags(enabled=False) around recurrent modules on a GPU, "
            "uncompiled code in the place of torch.compile (retrograd.torch.compiled compiles a "
            "loss so that it can), and in autograd functions of your own a backward that is made "
            "of operations of PyTorch"
        ) from error


_WRITTEN = (
    "loss: it writes in place to the weights or to hyper, which are what the run takes derivatives "
    "with respect to; write to a copy (w = w.clone()), or compute anew (w.clamp(-1, 1))"
)
_IN_NUMPY = (
    "loss: it hands a tensor to NumPy, or takes one together with a NumPy array, in which its "
    "derivative would be lost; use PyTorch's functions, and make tensors of NumPy arrays "
    "(torch.as_tensor)"
)
_NOT_TWICE = (
    "differentiate twice",
    "does not currently support double backward",
    "is not implemented",
    "not implemented for",
    "backward is not supported",
)
