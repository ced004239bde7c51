#!/usr/bin/env python3
"""The polynomials of src/base/real.h: best approximations by Remez's exchange with 50 digits (needs mpmath)."""
from mpmath import atanh, cos, erfc, exp, log, lu_solve, matrix, mp, mpf, nstr, pi, polyval, sign, sin, sqrt

mp.dps = 50


def extrema(errors):
    """Of each stretch of one sign the place of the largest."""
    found, begin = [], 0
    while begin < len(errors):
        end = begin
        while end < len(errors) and sign(errors[end]) == sign(errors[begin]):
            end += 1
        found.append(max(range(begin, end), key=lambda i: abs(errors[i])))
        begin = end
    return found


def remez(f, weight, degree, low, high, rounds=12):
    """Coefficients of p, and the largest |weight (p - f)| on [low, high], which is as small as can be."""
    def chebyshev(n):
        return [(low + high) / 2 - (high - low) / 2 * cos(pi * i / n) for i in range(n + 1)]

    n, grid = degree + 2, chebyshev(40 * (degree + 2))
    points = chebyshev(n - 1)
    for _ in range(rounds):
        a, b = matrix(n, n), matrix(n, 1)
        for i, x in enumerate(points):
            for j in range(degree + 1):
                a[i, j] = x**j
            a[i, degree + 1] = (-1) ** i / weight(x)
            b[i] = f(x)
        c = list(lu_solve(a, b))[: degree + 1]
        errors = [weight(x) * (polyval(c[::-1], x) - f(x)) for x in grid]
        places = extrema(errors)
        while len(places) > n:
            places.pop(0 if abs(errors[places[0]]) < abs(errors[places[-1]]) else -1)
        sizes = [abs(errors[i]) for i in places]
        if len(places) < n or max(sizes) < 1.01 * min(sizes):
            break
        points = [grid[i] for i in places]
    return c, max(abs(e) for e in errors)


QUARTER, TINY = pi / 4, mpf(10) ** -20


def exp_rest(r):
    return mpf(1) / 2 + r / 6 + r * r / 24 + r**3 / 120 if abs(r) < mpf(10) ** -8 else (exp(r) - 1 - r) / r**2


def log_rest(z):
    return (2 * atanh(sqrt(z)) / sqrt(z) - 2) / z


def sin_rest(z):
    return (sin(QUARTER * sqrt(z)) / sqrt(z) - QUARTER) / z


def cos_rest(z):
    return (cos(QUARTER * sqrt(z)) - 1) / z


def tail(t):
    a = 4 * (1 + t) / (1 - t)
    return (a + 4) * exp(a * a / 2) * erfc(a / sqrt(2)) / 2


def show(name, *fit):
    c, error = remez(*fit)
    print(f"{name}: {nstr(error, 2)}")
    for power, a in enumerate(c):
        print(f"    {power:2} {float(a).hex()}")


widest = log(2) / 2 * mpf("1.0001")
show("(e^r - 1 - r) / r^2", exp_rest, lambda r: max(r * r, TINY) / exp(r), 9, -widest, widest)
show("(2 artanh(s) - 2 s) / s^3 of s^2", log_rest, lambda z: z / 2, 6, TINY,
     ((sqrt(2) - 1) / (sqrt(2) + 1)) ** 2 * mpf("1.0001"))
show("(sin(t pi/4) / t - pi/4) / t^2 of t^2", sin_rest, lambda z: z * sqrt(z) / sin(QUARTER * sqrt(z)), 5, TINY, mpf(1))
show("(cos(t pi/4) - 1) / t^2 of t^2", cos_rest, lambda z: z / cos(QUARTER * sqrt(z)), 6, TINY, mpf(1))
show("(a + 4) e^(a^2/2) Phi(-a) of (a - 4) / (a + 4)", tail, lambda t: 1 / tail(t), 22, mpf(-1), mpf(36) / 44)
