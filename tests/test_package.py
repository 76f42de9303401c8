"""The package as a whole: its public names, their documentation, and what importing it costs."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import retrograd

PUBLIC = [
    "Adam",
    "AdamW",
    "Adamax",
    "Auto",
    "Averaged",
    "Certificate",
    "Checkpointed",
    "ClippedByNorm",
    "ClippedByValue",
    "Coded",
    "CoupledDecay",
    "DecoupledDecay",
    "Diagnostics",
    "HypergradientCheck",
    "Lion",
    "Momentum",
    "Muon",
    "NAdam",
    "Nesterov",
    "Polyak",
    "RMSprop",
    "Reversible",
    "SGD",
    "Saved",
    "Signum",
    "Stored",
    "StraightLine",
    "Truncated",
    "check_hypergradient",
    "checkpoint",
    "compile",
    "custom_jvp",
    "custom_vjp",
    "elementwise_grad",
    "from_optax",
    "ggnvp",
    "grad",
    "grad_and_aux",
    "hessian",
    "holomorphic_grad",
    "hvp",
    "iterate",
    "jacobian",
    "jvp",
    "linearize",
    "per_leaf",
    "per_step",
    "schedules",
    "tensor_jacobian_product",
    "train",
    "train_in_floats",
    "tree",
    "value_and_grad",
    "value_of",
    "vector_jacobian_product",
    "vjp",
]

# What an example of another name shows.
WITHOUT_EXAMPLE = {
    "tree", "schedules", "Certificate", "HypergradientCheck", "Reversible", "Stored",
}  # fmt: skip


def test_the_public_names_are_these():
    assert sorted(retrograd.__all__) == sorted(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_documented_with_an_example(name):
    documentation = inspect.getdoc(getattr(retrograd, name)) or ""
    assert len(documentation.splitlines()[0]) > 10
    if name not in WITHOUT_EXAMPLE:
        assert ">>>" in documentation


@pytest.mark.parametrize(
    "name",
    [
        "adjoints",
        "compat",
        "data",
        "errors",
        "extend",
        "jax",
        "numpy",
        "optimizers",
        "scipy",
        "study",
        "testing",
    ],
)
def test_submodules_are_reached_by_attribute(name):
    assert getattr(retrograd, name).__name__ == f"retrograd.{name}"
    assert name in dir(retrograd)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'gradd'"):
        retrograd.gradd  # noqa: B018


def loaded_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_alone_loads_no_numpy():
    assert "numpy" not in loaded_after("import retrograd")


def test_the_core_loads_neither_scipy_nor_plotting():
    modules = loaded_after("import retrograd as rg; rg.train; rg.grad; rg.data; rg.study")
    assert modules.isdisjoint({"scipy", "matplotlib", "jinja2", "rich", "cyclopts", "jax", "torch"})
    assert "numpy" in modules


def test_train_stays_the_function_when_its_room_is_imported():
    import retrograd.training

    assert callable(retrograd.train)


# What no extra brings is not asked for: the engine, training and the command line's main job.
WITHOUT_EXTRAS = """
import sys
class Without:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in {"scipy", "jax", "torch", "autograd"}:
            return self.finder.find_spec(name, path, target)
sys.meta_path[:] = map(Without, sys.meta_path)
import numpy as np
import retrograd as rg
import retrograd.numpy as rnp
import retrograd.experiments.learned_schedule
import retrograd.cli.commands
import retrograd.compat.autograd.numpy
assert rg.grad(lambda x: rnp.sum(rnp.tanh(x) ** 2))(np.zeros(3)).shape == (3,)
assert rg.train and rg.testing.check_grads and rg.extend.primitive
try:
    rg.compile(np.tanh)(np.ones(2))
except rg.errors.CompilationError as error:
    assert "retrograd[jax]" in str(error)
else:
    raise AssertionError("compiled without JAX")
"""


def test_the_core_needs_no_extra_but_the_command_lines():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
