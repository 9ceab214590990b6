"""Training of a classifier of vectors by the formulas of docs/exact/training.md, without its program."""

import numpy as np

import rows
import scalars
from scalars import F32, I64, U32

ONE, ZERO = F32(1), F32(0)
INT24 = rows.INT24


def total(x):
    """`Sum` along the last dimension."""
    return rows.row_sum(x, rows.magnitude(x))


def mean(x):
    return total(x) / F32(x.shape[-1])


def product(a, b):
    """a · bᵀ."""
    m_a, m_b = rows.magnitude(a), rows.magnitude(b)
    left = rows.factors(rows.quantise(a, m_a, INT24), INT24, INT24, True)
    right = rows.factors(rows.quantise(b, m_b, INT24), INT24, INT24, False)
    return rows.finish(rows.accumulate(left, right), INT24, m_a, INT24, m_b)


def cross_entropy(x, labels, counts):
    """Loss, and its gradient with respect to the scores."""
    t = x.max(axis=-1) + ZERO
    w = scalars.exp(x - t[:, None])
    z = rows.weight_sum(w, 40)
    picked = x[np.arange(len(x)), labels.astype(I64)]
    losses = (scalars.ln(z) - (picked - t)) * counts
    s, c = total(losses), total(counts)
    hit = np.where(np.arange(x.shape[1]) == labels[:, None], ONE, ZERO)
    return s / c, (w / z[:, None] - hit) * (counts / c)[:, None]


def layer_norm(x, gain, bias, epsilon):
    c = x - mean(x)[:, None]
    r = (ONE / np.sqrt(mean(c * c) + epsilon))[:, None]
    return (c * r) * gain + bias, (c * r, r)


def layer_norm_gradients(kept, gain, g):
    """Of x, gain and bias."""
    normed, r = kept
    h = g * gain
    dx = (h - mean(h)[:, None] - normed * mean(h * normed)[:, None]) * r
    return dx, total((g * normed).T), total(g.T)


def gradients(p, epsilon, features, labels, counts):
    """Loss and gradients of two linear maps with a layer norm and GELU between them; p in the order of declaration."""
    w0, b0, gain, bias, w1, b1 = p
    y0 = product(features, w0) + b0
    inner, kept = layer_norm(y0, gain, bias, epsilon)
    x1 = scalars.gelu(inner)
    loss, g = cross_entropy(product(x1, w1) + b1, labels, counts)
    dw1, db1 = product(g.T, x1.T), total(g.T)
    g = product(g, w1.T) * scalars.gelu_derivative(inner)
    g, d_gain, d_bias = layer_norm_gradients(kept, gain, g)
    return loss, [product(g.T, features.T), total(g.T), d_gain, d_bias, dw1, db1]


# Learning rate and optimiser

SINE = [F32(1 / f) for f in (-6, 120, -5040, 362_880, -39_916_800)]


def sin_11(u):
    z = u * u
    y = SINE[4] * z + SINE[3]
    for c in (SINE[2], SINE[1], SINE[0], ONE):
        y = y * z + c
    return y * u


def cosine_rate(rate, warm_up, steps, floor, s):
    if s < warm_up:
        return rate * ((s + ONE) / warm_up)
    length = steps - warm_up
    x = scalars.minimum(scalars.maximum((s - warm_up) / length if length else ZERO, ZERO), ONE)
    h = sin_11((x - F32(0.5)) * F32(np.pi)) * F32(-0.5) + F32(0.5)
    return rate * (h * (ONE - floor) + floor)


class AdamW:
    """Parameters with what is kept of them."""

    def __init__(self, parameters, beta1=F32(0.9), beta2=F32(0.999), epsilon=F32(1e-8)):
        self.p = list(parameters)
        self.m = [np.zeros_like(p) for p in self.p]
        self.v = [np.zeros_like(p) for p in self.p]
        self.c1, self.c2, self.steps = ZERO, ZERO, ZERO
        self.betas, self.epsilon = (beta1, beta2), epsilon

    def step(self, gradient, rate, decay, most):
        """Updates the parameters; gives the norm of the gradient."""
        b1, b2 = self.betas
        norm = np.sqrt(total(np.array([total(np.atleast_1d(total(g * g))) for g in gradient], F32)))
        kappa = scalars.minimum(ONE, most / norm)
        self.c1 = self.c1 * b1 + (ONE - b1)
        self.c2 = self.c2 * b2 + (ONE - b2)
        for i, g in enumerate(gradient):
            g = g * kappa
            self.m[i] = self.m[i] * b1 + g * (ONE - b1)
            self.v[i] = self.v[i] * b2 + (g * g) * (ONE - b2)
            kept = self.p[i] * (ONE - rate * decay) if g.ndim > 1 else self.p[i]
            self.p[i] = kept - rate * ((self.m[i] / self.c1) / (np.sqrt(self.v[i] / self.c2) + self.epsilon))
        self.steps = self.steps + ONE
        return norm
