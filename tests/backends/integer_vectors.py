"""The integers that every array library must reproduce: tables of a program, what goes in, and out.

`WALKS` are decays and additions on one slot, computed with Python's integers and fractions. At each
step t the slot is multiplied by `factors[t % len(factors)]`, one for all elements or one for each
leaf (`leaves` says the leaf of each element), and `increments[t % len(increments)]` is added, in
units of 1. `in` and `out` are whole integers, which stand for themselves times `scale` (1 at the
start) times 2**-radix; `bits` is what each element has lost to the tape.

`RUNS` are training runs in float32 on the loss sum((w - target)**2) / 4. Its gradient has one
rounding, of a difference, so that no library can find another one. `out` are the integers of all
slots after the last step.
"""

from __future__ import annotations

from typing import Any

__all__ = ["RUNS", "WALKS"]

WALKS: list[dict[str, Any]] = [
    {
        "name": "momentum of 0.9, one word",
        "words": 1,
        "radix": 49,
        "leaves": [0, 0, 0, 0, 0, 0],
        "factors": [[0.9]],
        "steps": 30,
        "increments": [
            [0.001, -0.001, 0.3333333333333333, -0.7, 8.881784197001252e-16, -2.5],
            [-1e-09, 1.7763568394002505e-06, 0.0, 0.25, -1.7763568394002505e-15, 0.1],
        ],
        "in": [4503599627382841, -4503599627371495, 0, 1, -1, 7],
        "out": [
            570479712671925,
            -570464859310024,
            2509922538493021,
            -3179235215424493,
            -9,
            -17987778192533320,
        ],
        "scale": [0.33912926620172995],
        "bits": [3],
    },
    {
        "name": "a half, which is halved every other time",
        "words": 1,
        "radix": 40,
        "leaves": [0, 0, 0, 0],
        "factors": [[0.5]],
        "steps": 9,
        "increments": [[1.5, -1.5, 0.1, -0.1]],
        "in": [987654321012345, -987654321012345, 3, -3],
        "out": [10442209556222, -10442209556223, 438945657651, -438945657652],
        "scale": [0.5],
        "bits": [8],
    },
    {
        "name": "second moments of 0.999, two words",
        "words": 2,
        "radix": 83,
        "leaves": [0, 0, 0, 0, 0],
        "factors": [[0.999]],
        "steps": 130,
        "increments": [[0.001, 1e-12, 1e-20, 4.0, 1e-09], [1e-05, 3e-22, 0.0, 2000.0, 7e-15]],
        "in": [1267650600228229436681075294207, 0, 5497558138880, 1, 70368744177664],
        "out": [
            1267651278303562991542821060607,
            671355062858994,
            5497564852433,
            1346739599744904547188179206145,
            671430135591196283,
        ],
        "scale": [0.8780383184956015],
        "bits": [0],
    },
    {
        "name": "three words and signs of all kinds",
        "words": 3,
        "radix": 120,
        "leaves": [0, 0, 0, 0, 0],
        "factors": [[0.75]],
        "steps": 12,
        "increments": [
            [0.1, -0.1, 1e-30, -1e-20, 3.7],
            [-12.5, 12.5, -3.76158192263132e-37, 0.3, -1e-33],
        ],
        "in": [
            1393796574908166422226060962801072392372301,
            -1393796574908166422226060962801072392372301,
            -1,
            4951760157141521099596496895,
            -70368744177664,
        ],
        "out": [
            87040161365488284112696603690155183702020,
            -87040161365488284112696603690155183702021,
            4353592,
            1741438220159399055802078951950540248,
            16108303533611706369182215377904462162,
        ],
        "scale": [0.5068216323852539],
        "bits": [4],
    },
    {
        "name": "a factor at each step, 1 among them",
        "words": 1,
        "radix": 44,
        "leaves": [0, 0, 0],
        "factors": [[0.9], [1.0], [0.6], [0.99]],
        "steps": 26,
        "increments": [[0.5, -0.5, -100.0]],
        "in": [123456789, -123456789, 36028797018963968],
        "out": [104696926379912, -104696926379913, -19813484597534926],
        "scale": [0.6723048035906677],
        "bits": [5],
    },
    {
        "name": "a factor for each leaf",
        "words": 1,
        "radix": 44,
        "leaves": [0, 0, 1, 1, 2, 2],
        "factors": [[0.9, 0.99, 0.7]],
        "steps": 25,
        "increments": [[0.01, -0.02, 0.03, -0.04, 0.05, -0.06]],
        "in": [
            1125899906842624,
            -1125899906842624,
            1125899906842624,
            -1125899906842624,
            1125899906842625,
            -1125899906842625,
        ],
        "out": [
            143580727720171,
            -146423967085015,
            1140975121478916,
            -1146000193024352,
            5611904474718,
            -6679309788275,
        ],
        "scale": [0.5743183901534825, 0.7778213593991465, 0.5493017066143592],
        "bits": [3, 0, 12],
    },
]

RUNS: list[dict[str, Any]] = [
    {
        "optimizer": "Momentum",
        "hyperparameters": {"rate": 0.25, "momentum": 0.9},
        "steps": 50,
        "start": [0.0, 1.0, -2.5, 0.75, -0.0625, 96.0],
        "target": [0.5, -0.25, 3.0, -1.125, 0.0078125, 100.0],
        "out": {
            "weights": [
                8336780934120,
                -3249766298488,
                47724125619272,
                -18068789008676,
                72848203665,
                1755544114470735,
            ],
            "velocity": [
                -130392073839662,
                325980156997286,
                -1434312512378606,
                488970308523573,
                -18336382936323,
                -1043118182023543,
            ],
        },
    },
    {
        "optimizer": "Adam",
        "hyperparameters": {"rate": 0.03125, "beta1": 0.9, "beta2": 0.999},
        "steps": 50,
        "start": [0.0, 1.0, -2.5, 0.75, -0.0625, 96.0],
        "target": [0.5, -0.25, 3.0, -1.125, 0.0078125, 100.0],
        "out": {
            "weights": [
                8490795751493,
                -3133940672574,
                -17543760287758,
                -10424230450920,
                137249799163,
                1714826845551094,
            ],
            "first": [
                7371321564938,
                94353781174850,
                -1816051713800958,
                317873295522742,
                -427112140276,
                -1186004181938952,
            ],
            "second": [
                3901817150632100296458,
                56425635355574939781120,
                2814054562851044638851072,
                185717418082064752967680,
                40629612656004611936,
                1332801556078753908523008,
            ],
        },
    },
]
