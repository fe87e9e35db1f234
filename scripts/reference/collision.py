"""The collision step with pairs, acceptance and directions given. Particle arrays are `[batch, n, d]`."""

import torch


def particles(values, divide=0, width=0):
    """`[batch, places, channels]` cut into particles: by `divide` (place q*n + j is piece q of particle j), or,
    for a sample that is one token, into runs of `width` channels."""
    batch, places, channels = values.shape
    if width:
        return values.reshape(batch, places * channels // width, width)
    n = places // divide
    return values.reshape(batch, divide, n, channels).transpose(1, 2).reshape(batch, n, divide * channels)


def places(values, shape, divide=0, width=0):
    """The inverse of `particles`."""
    if not width:
        batch, _, channels = shape
        values = values.reshape(batch, -1, divide, channels).transpose(1, 2)
    return values.reshape(shape)


def length(vectors):
    """Euclidean length along the last axis, with gradient 0 where it is 0."""
    square = (vectors * vectors).sum(-1)
    moving = square > 0
    return torch.where(moving, torch.where(moving, square, 1.0).sqrt(), 0.0)


def probabilities(distance, speed, candidate, coefficient, length_scale):
    """Acceptance probabilities of the candidate pairs, 0 elsewhere; samples along the first axis.

    `length_scale` is a number or "rms". Where nothing moves the probability is 0; a distance of 0 counts as
    exp(0) whatever the scale.
    """
    result = torch.zeros_like(distance)
    for sample in range(len(distance)):
        r, s = distance[sample][candidate[sample]], speed[sample][candidate[sample]]
        scale = r.square().mean().sqrt() if length_scale == "rms" else length_scale
        nearness = torch.where(r > 0, (-r / scale).exp(), 1.0)
        relative = s / s.max() if s.max() > 0 else torch.zeros_like(s)
        result[sample][candidate[sample]] = coefficient * relative * nearness
    return result


def ntc_step(position, velocity, pairs, accepted, directions, time_step, midpoint):
    """One step with at most one partner each.

    pairs `[batch, n/2, 2]`, accepted `[batch, n/2]`, directions `[batch, n/2, d]`.
    """
    d = position.shape[2]
    first, second = (pairs[:, :, k, None].long().expand(-1, -1, d) for k in (0, 1))
    hit = accepted[:, :, None] > 0

    vi, vj = velocity.gather(1, first), velocity.gather(1, second)
    centre = (vi + vj) / 2
    half = length(vi - vj)[:, :, None] / 2 * directions
    velocity = velocity.scatter(1, first, torch.where(hit, centre + half, vi))
    velocity = velocity.scatter(1, second, torch.where(hit, centre - half, vj))

    if midpoint:
        xi, xj = position.gather(1, first), position.gather(1, second)
        middle = (xi + xj) / 2
        position = position.scatter(1, first, torch.where(hit, middle, xi))
        position = position.scatter(1, second, torch.where(hit, middle, xj))
    return position + velocity * time_step


def dense_weights(accepted, plain_sum):
    """`w_ij` of the accepted pairs, `[batch, n, n]`: 1, or 1 / max(k_i, k_j) with k the number of partners."""
    accepted = accepted.double()
    partners = accepted.sum(2)
    most = torch.maximum(partners[:, :, None], partners[:, None, :]).clamp(min=1)
    return accepted if plain_sum else accepted / most


def dense_step(position, velocity, accepted, directions, time_step, midpoint, plain_sum):
    """One step with any number of partners.

    accepted `[batch, n, n]`, symmetric with zero diagonal; directions `[batch, n, n, d]`, antisymmetric in the
    particles. `midpoint` moves a particle by the weighted sum of half the distances to its partners, which for
    single partners is the middle of the pair.
    """
    weights = dense_weights(accepted, plain_sum)[:, :, :, None]
    apart = velocity[:, None, :] - velocity[:, :, None]
    turned = (weights * (apart / 2 + length(apart)[:, :, :, None] / 2 * directions)).sum(2)
    if midpoint:
        position = position + (weights * (position[:, None, :] - position[:, :, None]) / 2).sum(2)
    return position + (velocity + turned) * time_step
