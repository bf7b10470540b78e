"""Scaling laws: the loss of a size and a text, the best split of a budget, batches, serving counted in.

Numbers of parameters and of tokens are counts here, since a power of a unit that is no whole number has no meaning.
"""

from __future__ import annotations

import numpy as np

from suanli.foundation.equation import Real, equation


@equation(unit="token", source="kaplan2020")
def affordable_tokens(training_flop: Real, parameters: Real, flop_per_token: Real) -> Real:
    """Tokens that a budget of arithmetic trains a model of a size on.

    D = C / (k N), k = 6: a multiply-add forward and two backward, for each parameter

    training_flop: FLOP; parameters: pure number; flop_per_token: FLOP/token of one parameter. Holds where attention's
    own arithmetic is small against that of the matrices. Source: kaplan2020.

    >>> affordable_tokens(6e20, 1e9, 6.0)
    100000000000.0
    """
    return training_flop / (parameters * flop_per_token)


@equation(unit="1", source="hoffmann2022")
def loss_of_sizes(
    parameter_count: Real,
    token_count: Real,
    floor: Real,
    parameter_scale: Real,
    token_scale: Real,
    parameter_exponent: Real,
    token_exponent: Real,
) -> Real:
    """Loss of a model of a size on a text of a length, in nats a token.

    L = E + A / N^alpha + B / D^beta

    parameter_count, token_count: pure numbers N and D; floor: E, what no model can go below; parameter_scale,
    token_scale: A and B; parameter_exponent, token_exponent: alpha and beta. Holds for runs whose schedule ends with
    their text, and for text that is not repeated. Source: hoffmann2022.

    >>> round(float(loss_of_sizes(72.2e9, 1.329e12, 1.8172, 482.01, 2085.43, 0.3478, 0.3658)), 4)
    1.9745
    """
    return floor + parameter_scale / parameter_count**parameter_exponent + token_scale / token_count**token_exponent


@equation(unit="1", source="hoffmann2022")
def best_parameters(
    split_count: Real, parameter_scale: Real, token_scale: Real, parameter_exponent: Real, token_exponent: Real
) -> Real:
    """Parameters with which a budget reaches the least loss.

    N = (alpha A / (beta B))^(1 / (alpha + beta)) (N D)^(beta / (alpha + beta)): no slope of L in N at a held N D

    split_count: pure number, N D: the budget over the arithmetic of one parameter and token; parameter_scale,
    token_scale: A and B; parameter_exponent, token_exponent: alpha and beta. Source: hoffmann2022.

    >>> round(float(best_parameters(5.76e23 / 6, 406.4, 410.7, 0.34, 0.28)) / 1e9, 1)
    32.2
    """
    both = parameter_exponent + token_exponent
    tilt = parameter_exponent * parameter_scale / (token_exponent * token_scale)
    return tilt ** (1 / both) * split_count ** (token_exponent / both)


@equation(unit="1", source="hoffmann2022")
def tokens_to_loss(
    parameter_count: Real,
    loss: Real,
    floor: Real,
    parameter_scale: Real,
    token_scale: Real,
    parameter_exponent: Real,
    token_exponent: Real,
) -> Real:
    """Tokens on which a model of a size reaches a loss; infinite where it never does.

    D = (B / (L - E - A / N^alpha))^(1 / beta)

    Arguments as of `loss_of_sizes`. Source: hoffmann2022.

    >>> round(float(tokens_to_loss(1e10, 2.5, 1.5, 100.0, 1000.0, 0.5, 0.5)) / 1e6, 3)
    1.002
    """
    room = np.maximum(loss - floor - parameter_scale / parameter_count**parameter_exponent, 0)
    return np.where(room > 0, token_scale / np.where(room > 0, room, 1), np.inf) ** (1 / token_exponent)


@equation(unit="1", source="kaplan2020")
def kaplan_loss(
    parameter_count: Real,
    token_count: Real,
    parameter_constant: Real,
    token_constant: Real,
    parameter_exponent: Real,
    token_exponent: Real,
) -> Real:
    """Loss of a size and a text in the older form, without a floor.

    L = ((N_c / N)^(alpha_N / alpha_D) + D_c / D)^alpha_D

    parameter_count, token_count: pure numbers N and D; parameter_constant, token_constant: N_c and D_c;
    parameter_exponent, token_exponent: alpha_N and alpha_D. Source: kaplan2020.

    >>> kaplan_loss(1.0, 1.0, 1.0, 3.0, 0.5, 0.5)
    2.0
    """
    of_size = (parameter_constant / parameter_count) ** (parameter_exponent / token_exponent)
    return (of_size + token_constant / token_count) ** token_exponent


@equation(unit="1", source="hoffmann2022")
def grown_from_anchor(anchor: Real, budget_flop: Real, anchor_flop: Real, growth: Real) -> Real:
    """Quantity that grows with the budget as a power of it, from where it is known.

    X = X_0 (C / C_0)^a

    anchor: pure number X_0 at anchor_flop: FLOP; budget_flop: FLOP; growth: pure number a. Source: hoffmann2022.

    >>> float(grown_from_anchor(2.0, 400.0, 100.0, 0.5))
    4.0
    """
    return anchor * (budget_flop / anchor_flop) ** growth


@equation(unit="1", source="kaplan2020")
def critical_batch(loss: Real, critical_at_one_nat: Real, critical_exponent: Real) -> Real:
    """Tokens of a global batch at which one more of them saves steps no longer as it costs arithmetic.

    B = B_1 / L^(1 / alpha)

    A run with this batch takes twice the least number of steps and twice the least arithmetic (mccandlish2018). loss:
    pure number, nats a token at the end of the run; critical_at_one_nat: pure number B_1; critical_exponent: alpha.
    Source: kaplan2020.

    >>> float(critical_batch(2.0, 2e8, 0.5))
    50000000.0
    """
    return critical_at_one_nat / loss ** (1 / critical_exponent)


@equation(unit="FLOP", source="sardana2024")
def lifetime_flop(
    parameters: Real, trained_tokens: Real, served_tokens: Real, train_flop_per_token: Real, serve_flop_per_token: Real
) -> Real:
    """Arithmetic of a model over its life: trained once, then served.

    C = N (6 D + 2 T)

    parameters: pure number N; trained_tokens, served_tokens: token; train_flop_per_token, serve_flop_per_token:
    FLOP/token of one parameter: 6 and 2. Source: sardana2024.

    >>> lifetime_flop(10.0, 3.0, 1.0, 6.0, 2.0)
    200.0
    """
    return parameters * (train_flop_per_token * trained_tokens + serve_flop_per_token * served_tokens)
