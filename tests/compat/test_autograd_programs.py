"""Programs in Autograd's style: with its name changed in the imports, the same results."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

NETWORK = """
import autograd.numpy as np
import autograd.numpy.random as npr
from autograd import grad
from autograd.misc.optimizers import adam
from autograd.scipy.special import logsumexp

def init_random_params(scale, layer_sizes, rs=npr.RandomState(0)):
    return [(scale * rs.randn(m, n), scale * rs.randn(n))
            for m, n in zip(layer_sizes[:-1], layer_sizes[1:])]

def neural_net_predict(params, inputs):
    for W, b in params:
        outputs = np.dot(inputs, W) + b
        inputs = np.tanh(outputs)
    return outputs - logsumexp(outputs, axis=1, keepdims=True)

def l2_norm(params):
    from autograd.misc import flatten
    flattened, _ = flatten(params)
    return np.dot(flattened, flattened)

rs = npr.RandomState(1)
images, labels = rs.randn(20, 5), np.eye(3)[rs.randint(3, size=20)]

def objective(params, iter):
    log_lik = np.sum(neural_net_predict(params, images) * labels)
    return -log_lik + 0.5 * 0.1 * l2_norm(params)

seen = []
def callback(params, iter, gradient):
    seen.append(objective(params, iter))

params = adam(grad(objective), init_random_params(0.1, [5, 4, 3]), step_size=0.05,
              num_iters=15, callback=callback)
result = [seen, params]
"""

FLUID = """
import autograd.numpy as np
from autograd import value_and_grad

rows, cols = 6, 7

def project(vx, vy):
    p = np.zeros(vx.shape)
    h = 1.0 / vx.shape[0]
    div = -0.5 * h * (np.roll(vx, -1, axis=0) - np.roll(vx, 1, axis=0)
                      + np.roll(vy, -1, axis=1) - np.roll(vy, 1, axis=1))
    for k in range(5):
        p = (div + np.roll(p, 1, axis=0) + np.roll(p, -1, axis=0)
                 + np.roll(p, 1, axis=1) + np.roll(p, -1, axis=1)) / 4.0
    vx -= 0.5 * (np.roll(p, -1, axis=0) - np.roll(p, 1, axis=0)) / h
    vy -= 0.5 * (np.roll(p, -1, axis=1) - np.roll(p, 1, axis=1)) / h
    return vx, vy

def advect(f, vx, vy):
    cell_ys, cell_xs = np.meshgrid(np.arange(cols), np.arange(rows))
    center_xs = (cell_xs - vx).ravel()
    center_ys = (cell_ys - vy).ravel()
    left_ix = np.floor(center_xs).astype(int)
    top_ix = np.floor(center_ys).astype(int)
    rw = center_xs - left_ix
    bw = center_ys - top_ix
    left_ix = np.mod(left_ix, rows)
    right_ix = np.mod(left_ix + 1, rows)
    top_ix = np.mod(top_ix, cols)
    bot_ix = np.mod(top_ix + 1, cols)
    flat_f = (1 - rw) * ((1 - bw) * f[left_ix, top_ix] + bw * f[left_ix, bot_ix]) \\
                 + rw * ((1 - bw) * f[right_ix, top_ix] + bw * f[right_ix, bot_ix])
    return np.reshape(flat_f, (rows, cols))

rs = np.random.RandomState(0)
smoke, target = rs.rand(rows, cols), rs.rand(rows, cols)

def objective(params):
    vx, vy = params[0], params[1]
    state = smoke
    for t in range(3):
        vx_updated = advect(vx, vx, vy)
        vy_updated = advect(vy, vx, vy)
        vx, vy = project(vx_updated, vy_updated)
        state = advect(state, vx, vy)
    return np.mean((target - state) ** 2)

result = value_and_grad(objective)(0.3 * rs.randn(2, rows, cols))
"""

ODE = """
import autograd.numpy as np
from autograd import grad
from autograd.scipy.integrate import odeint
from autograd.builtins import tuple

def func(y, t0, alpha, beta):
    return np.array([alpha * y[0] - beta * y[0] * y[1], beta * y[0] * y[1] - y[1]])

times = np.linspace(0.0, 1.0, 5)
data = odeint(func, np.array([1.0, 0.5]), times, tuple((1.1, 0.6)), rtol=1e-9, atol=1e-9)

def loss(params):
    alpha, beta = params[0], params[1]
    predicted = odeint(func, params[2:], times, tuple((alpha, beta)), rtol=1e-9, atol=1e-9)
    return np.sum((predicted - data) ** 2)

result = grad(loss)(np.array([1.0, 0.7, 1.1, 0.4]))
"""

VARIATIONAL = """
import autograd.numpy as np
import autograd.numpy.random as npr
import autograd.scipy.stats.multivariate_normal as mvn
import autograd.scipy.stats.norm as norm
from autograd import grad, elementwise_grad
from autograd.misc.optimizers import sgd

def unpack_params(params):
    return params[:2], params[2:]

def log_density(x):
    mu, log_sigma = x[:, 0], x[:, 1]
    sigma_density = norm.logpdf(log_sigma, 0, 1.35)
    mu_density = norm.logpdf(mu, 0, np.exp(log_sigma))
    return sigma_density + mu_density

def variational_objective(params, t):
    rs = npr.RandomState(t)
    mean, log_std = unpack_params(params)
    samples = rs.randn(10, 2) * np.exp(log_std) + mean
    entropy = 1.0 + np.log(2 * np.pi) + np.sum(log_std)
    return -entropy - np.mean(log_density(samples))

params = sgd(grad(variational_objective), np.array([0.2, -0.1, -1.0, -1.0]), num_iters=20,
             step_size=0.05)
xs = np.array([[0.1, 0.2], [1.0, -0.4]])
result = [params, elementwise_grad(lambda x: mvn.logpdf(x, np.zeros(2), np.eye(2)))(xs)]
"""

FIXED_POINT = """
import autograd.numpy as np
from autograd import grad
from autograd.misc.fixed_points import fixed_point

def newton_sqrt_iter(a):
    return lambda x: 0.5 * (x + a / x)

def distance(x, y):
    return np.abs(x - y)

def sqrt(a, guess=10.):
    return fixed_point(newton_sqrt_iter, a, guess, distance, 1e-8)

result = [sqrt(2.0), grad(sqrt)(2.0), grad(grad(sqrt))(2.0)]
"""

OWN_RULES = """
import autograd.numpy as np
from autograd import grad, hessian, hessian_vector_product, jacobian, make_vjp
from autograd.core import make_vjp as core_make_vjp
from autograd.extend import primitive, defvjp, defjvp
from autograd.numpy.numpy_vjps import unbroadcast_f
from autograd.test_util import check_grads

@primitive
def logsumexp(x):
    max_x = np.max(x)
    return max_x + np.log(np.sum(np.exp(x - max_x)))

def logsumexp_vjp(ans, x):
    x_shape = x.shape
    return lambda g: np.full(x_shape, g) * np.exp(x - np.full(x_shape, ans))

defvjp(logsumexp, logsumexp_vjp)

@primitive
def scaled(x, factor, power=1):
    return x * factor ** power

defvjp(scaled,
       lambda ans, x, factor, power=1: unbroadcast_f(x, lambda g: g * factor ** power),
       lambda ans, x, factor, power=1: unbroadcast_f(
           factor, lambda g: g * x * power * factor ** (power - 1)))
defjvp(scaled, "same", lambda g, ans, x, factor, power=1: x * power * factor ** (power - 1) * g)

def example_func(y):
    z = y ** 2
    return np.sum(scaled(z, np.array([0.3, 2.0]), power=2)) + logsumexp(z) * y[0]

x = np.array([1.5, 0.9])
check_grads(example_func, modes=["rev"])(x)
check_grads(scaled, argnum=(0, 1), order=2)(x, 1.3)
vjp, value = make_vjp(example_func)(x)
result = [grad(example_func)(x), hessian(example_func)(x), vjp(2.0), value,
          hessian_vector_product(example_func)(x, np.ones(2)),
          jacobian(lambda x: scaled(x, 2.0))(x), core_make_vjp(example_func, x)[0](1.0)]
"""

PROGRAMS = {
    "network": NETWORK,
    "fluid": FLUID,
    "ode": ODE,
    "variational": VARIATIONAL,
    "fixed point": FIXED_POINT,
    "own rules": OWN_RULES,
}


def leaves(x: Any) -> list[Any]:
    return [leaf for part in x for leaf in leaves(part)] if isinstance(x, list | tuple) else [x]


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_ported_by_its_imports(name: str) -> None:
    original: dict[str, Any] = {}
    ported: dict[str, Any] = {}
    exec(PROGRAMS[name], original)
    exec(
        re.sub(r"\b(from|import) autograd", r"\1 retrograd.compat.autograd", PROGRAMS[name]), ported
    )
    found, expected = leaves(ported["result"]), leaves(original["result"])
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)
