"""The scalar functions of docs/exact/scalars.md, over whole arrays of binary32 numbers.

numpy rounds + - * / and sqrt of float32 arrays once, to nearest, ties to even, and fuses nothing. Constants are bits.
"""

import numpy as np

F32, I32, U32, I64, U64 = np.float32, np.int32, np.uint32, np.int64, np.uint64


def bits(x):
    """The patterns of floats."""
    return np.asarray(x, F32).view(U32)


def floats(patterns):
    """The floats of patterns."""
    return np.asarray(patterns, U32).view(F32)


def constant(pattern):
    """One float by its bits."""
    return U32(pattern).view(F32)


def _coefficients(text):
    return [constant(int(word, 16)) for word in text.split()]


def _horner(coefficients, v):
    p = np.full_like(v, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        p = p * v + coefficient
    return p


ONE, HALF, TWO, ZERO = F32(1), F32(0.5), F32(2), F32(0)
BIG = constant(0x4B000000)  # 2^23
M = constant(0x4B400000)  # 1.5 * 2^23
LN2_HIGH, LN2_LOW = constant(0x3F317200), constant(0x35BFBE8E)

# Comparisons, rounding, powers of two


def neg(x):
    return floats(bits(x) ^ U32(0x80000000))


def maximum(a, b):
    return np.where(a > b, a, b) + ZERO


def minimum(a, b):
    return np.where(a < b, a, b) + ZERO


def relu(x):
    return np.where(x > 0, x, ZERO)


def copysign(a, s):
    return floats((bits(a) & U32(0x7FFFFFFF)) | (bits(s) & U32(0x80000000)))


def rne(x):
    m = np.abs(x)
    return np.where(m < BIG, copysign((m + BIG) - BIG, x), x)


def floor(x):
    r = rne(x)
    return np.where(r > x, r - ONE, r)


def pow2(e):
    """2^e of integers, exact; +0 below -149, infinity above 127."""
    e = np.asarray(e, I64)
    normal = (np.clip(e, -126, 128) + 127) << 23
    subnormal = I64(1) << np.clip(e + 149, 0, 22)
    return floats(np.where(e >= -126, normal, np.where(e >= -149, subnormal, 0)).astype(U32))


def scale_by_pow2(x, e):
    e = np.clip(np.asarray(e, I64), -252, 254)
    f = np.clip(e, -126, 127)
    return (x * pow2(f)) * pow2(e - f)


def to_i32_rne(x):
    low, high = F32(-(2.0**31)), F32(2.0**31 - 128)
    x = np.where(x > low, x, low)
    return rne(np.where(x < high, x, high)).astype(I32)


def from_i64(n):
    return np.asarray(n, I64).astype(F32)


# The exponential and what is made of it

_EXP = _coefficients("0x3f000000 0x3e2aaa9e 0x3d2aaa79 0x3c089b8f 0x3ab6a079 0x3935cab2")
_TANH = _coefficients("0xbeaaaaa5 0x3e088677 0xbd5c8fc7 0x3cac7bdb 0xbbccdff7")


def exp_parts(x, l=ZERO):
    """head and factor of e^(x + l)."""
    k = x * constant(0x3FB8AA3B) + M
    n = bits(k).astype(I64) - I64(0x4B400000)
    whole = k - M
    high = x - whole * LN2_HIGH
    low = whole * LN2_LOW - l
    r = high - low
    tail = (r * r) * _horner(_EXP, r) - low
    s = ONE + high
    y = s + ((high - (s - ONE)) + tail)
    h = n >> 1
    return y * pow2(h), pow2(n - h)


def exp(x):
    a = np.where(x < 89, x, F32(89))
    head, factor = exp_parts(np.where(a > -126, a, F32(-126)))
    return head * factor


def sigmoid(x):
    t = exp(-np.abs(x))
    return np.where(x < 0, t, ONE) / (ONE + t)


def _logistic_product(x, a, parts):
    head, factor = parts
    d = ONE + head * factor
    return (np.where(x < 0, (-a) * head, x) / d) * np.where(x < 0, factor, ONE)


def _logistic_derivative(x, g, parts):
    head, factor = parts
    t = head * factor
    d = ONE + t
    product = np.where(x < 0, head, ONE) * (d + np.where(x < 0, -g, g * t))
    return (product / (d * d)) * np.where(x < 0, factor, ONE)


def _at_most(x, limit):
    m = np.abs(x)
    return np.where(m < limit, m, F32(limit))


def silu(x):
    a = _at_most(x, 126)
    return _logistic_product(x, a, exp_parts(-a))


def silu_derivative(x):
    a = _at_most(x, 126)
    return _logistic_derivative(x, a, exp_parts(-a))


def tanh(x):
    m, q = np.abs(x), x * x
    small = m + m * (q * _horner(_TANH, q))
    head, factor = exp_parts(TWO * np.where(m < 16, m, F32(16)))
    large = ONE - TWO / (head * factor + ONE)
    y = copysign(np.where(m < constant(0x3F0CCCCD), small, large), x)
    return np.where(np.isnan(x), F32(np.nan), y)


# The logarithm

_LN = _coefficients("0x3f2aaaaa 0x3eccce13 0x3e91e9f0 0x3e789d93")


def ln(x):
    u = x < constant(0x00800000)
    i = (bits(np.where(u, x * F32(2.0**24), x)) - U32(0x3F3504F3)).view(I32)
    k = ((i >> 23) - np.where(u, I32(24), I32(0))).astype(F32)
    f = floats(((i & I32(0x007FFFFF)) + I32(0x3F3504F3)).view(U32)) - ONE
    s = f / (TWO + f)
    w = s * s
    p = _horner(_LN, w) * w
    h = HALF * (f * f)
    low = s * (h + p) + k * LN2_LOW
    y = k * LN2_HIGH - ((h - low) - f)
    return np.where(x > 0, y, np.where(x == 0, F32(-np.inf), F32(np.nan)))


# The error function and GELU

_ERF_SMALL = _coefficients("0x3e0375d4 0xbec0939f 0x3de71673 0xbcdbfb8d 0x3ba9f912 0xba51a8af 0x38a3b8fe")
_ERF_LARGE = _coefficients("0x3f907209 0x3f22c5d8 0x3dd74736 0xbcbac40b 0x3b50dc99 0xb95ce123")
_TAIL = _coefficients(
    "0x3ddff1a0 0xbe43b896 0x3e00bce7 0xbd70b5c5 0x3c854941 0xb99df69c 0xbac2dc3c 0x3972581d 0x39303c6f 0xb7f5c119 "
    "0xb7aa0fa1"
)


def erf(x):
    m, q = np.abs(x), x * x
    small = m + m * _horner(_ERF_SMALL, q)
    a = np.where(m < 4, m, F32(4))
    head, factor = exp_parts(-(a * _horner(_ERF_LARGE, a)))
    large = ONE - head * factor
    y = copysign(np.where(m < 1, small, large), x)
    return np.where(np.isnan(x), F32(np.nan), y)


def _normal_tail(a):
    u = floats((bits(a) + U32(0x800)) & U32(0xFFFFF000))
    head, factor = exp_parts(F32(-0.5) * (u * u), F32(-0.5) * ((a - u) * (a + u)))
    k = constant(0x40590000)
    return head, factor, _horner(_TAIL, (a - k) / (a + k))


def gelu(x):
    a = _at_most(x, 15)
    head, factor, g = _normal_tail(a)
    t = head * g
    return np.where(x < 0, ((-a) * t) * factor, x * (ONE - t * factor))


def gelu_derivative(x):
    a = _at_most(x, 15)
    head, factor, g = _normal_tail(a)
    d = (head * (g - a * constant(0x3ECC422A))) * factor
    return np.where(x < 0, d, ONE - d)


def _gelu_tanh_parts(a):
    return exp_parts(-(a * (constant(0x3FCC422A) + constant(0x3D922279) * (a * a))))


def gelu_tanh(x):
    a = _at_most(x, 11)
    return _logistic_product(x, a, _gelu_tanh_parts(a))


def gelu_tanh_derivative(x):
    a = _at_most(x, 11)
    slope = a * (constant(0x3FCC422A) + constant(0x3E5B33B6) * (a * a))
    return _logistic_derivative(x, slope, _gelu_tanh_parts(a))


# Sine and cosine of a turn

_SIN = _coefficients("0xbe2aaaa3 0x3c0883bc 0xb94caa04")
_COS = _coefficients("0x3d2aaaa5 0xbab60614 0x37ccf41e")


def sin_turn(p):
    """The sine of phases (U32), in 2^-32 of a turn."""
    h = (p & U32(0x7FFFFFFF)).astype(I64)
    q = np.where(h > 2**30, 2**31 - h, h)
    c = q > 2**29
    e = np.where(c, 2**30 - q, q)
    u, v = (e & ~(2**17 - 1)).astype(F32), (e & (2**17 - 1)).astype(F32)
    a = u * constant(0x30C91000)
    b = u * constant(0xA795777A) + v * constant(0x30C90FDB)
    theta = a + b
    delta = (a - theta) + b
    w = theta * theta
    sine = theta + (theta * (w * _horner(_SIN, w)) + delta)
    half = HALF * w
    low = ONE - half
    cosine = low + (((ONE - low) - half) + ((w * w) * _horner(_COS, w) - theta * delta))
    y = np.where(c, cosine, sine)
    return np.where(p >= U32(2**31), neg(y), y) + ZERO


def cos_turn(p):
    return sin_turn(p + U32(2**30))


# Random numbers


def philox(counter, key):
    """The four words of Philox 4x32-10, for arrays of counters of four words and one key of two."""
    x = [np.asarray(word, U64) for word in counter]
    k, low = [int(word) for word in key], U64(0xFFFFFFFF)
    for _ in range(10):
        a, b = U64(0xD2511F53) * x[0], U64(0xCD9E8D57) * x[2]
        x = [(b >> U64(32)) ^ x[1] ^ U64(k[0]), b & low, (a >> U64(32)) ^ x[3] ^ U64(k[1]), a & low]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return x


# The table by which implementations are compared


def _of_float(function):
    def of_patterns(p):
        x = floats(p)
        y = bits(function(x))
        y = np.where((y & U32(0x7FFFFFFF)) > U32(0x7F800000), U32(0x7FC00000), y)
        return np.where(np.isfinite(x), y, p)

    return of_patterns


def _exponent(p):
    return ((p * U32(0x9E3779B9)) >> U32(23)).astype(I64) - 256


def _from_halves(p):
    wide = p.astype(U64)
    return bits(from_i64((wide << U64(32) | wide).view(I64)))


FUNCTIONS = {
    "abs": _of_float(np.abs),
    "neg": _of_float(neg),
    "relu": _of_float(relu),
    "max": _of_float(lambda x: maximum(x, neg(x))),
    "min": _of_float(lambda x: minimum(x, neg(x))),
    "rne": _of_float(rne),
    "floor": _of_float(floor),
    "sqrt": _of_float(np.sqrt),
    "scale_by_pow2": lambda p: _of_float(lambda x: scale_by_pow2(x, _exponent(p)))(p),
    "to_i32_rne": lambda p: np.where(np.isfinite(floats(p)), to_i32_rne(floats(p)).view(U32), p),
    "from_i64": _from_halves,
    "pow2": lambda p: bits(pow2(p.view(I32))),
    "exp": _of_float(exp),
    "ln": _of_float(ln),
    "sigmoid": _of_float(sigmoid),
    "silu": _of_float(silu),
    "silu_derivative": _of_float(silu_derivative),
    "tanh": _of_float(tanh),
    "erf": _of_float(erf),
    "gelu": _of_float(gelu),
    "gelu_derivative": _of_float(gelu_derivative),
    "gelu_tanh": _of_float(gelu_tanh),
    "gelu_tanh_derivative": _of_float(gelu_tanh_derivative),
    "sin_turn": lambda p: bits(sin_turn(p)),
    "cos_turn": lambda p: bits(cos_turn(p)),
}
