"""PyTorch's modules and losses in the form that `train` takes them.

`retrograd.train` and `iterate` take tensors as they are; nothing here is needed for that.

    parameters_of(module)      the weights of a module, as `w0`
    functional(module)         the module as a function of its weights, for the loss
    seeded(loss, seed)         a loss whose random numbers (dropout) depend on the step alone
    compiled(loss)             a loss whose derivatives run through torch.compile
"""

try:
    import torch as _torch  # noqa: F401
except ImportError as error:
    raise ImportError(
        "retrograd.torch needs PyTorch, which comes with: pip install 'retrograd[torch]'"
    ) from error

from retrograd.torch.compiled import compiled
from retrograd.torch.modules import functional, parameters_of
from retrograd.torch.seeded import seeded

__all__ = ["compiled", "functional", "parameters_of", "seeded"]
