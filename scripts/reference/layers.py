"""Layers and the loss, channels last."""

import torch


def linear(input, weight, bias):
    """`[batch, places, in]` times `[in, out]`, plus `[out]`."""
    return input @ weight + bias


def spectral_convolution(input, weight):
    """The Fourier layer without its pointwise part (Li et al., 2021, arXiv 2010.08895, section 4).

    Input `[batch, places, in]`, weight `[modes, 2, in, out]` (real plane, imaginary plane),
    output `[batch, places, out]`.
    """
    places, modes = input.shape[1], weight.shape[0]
    spectrum = torch.fft.rfft(input, dim=1)[:, :modes]
    product = torch.einsum("bki,kio->bko", spectrum, torch.complex(weight[:, 0], weight[:, 1]))
    return torch.fft.irfft(product, n=places, dim=1)


def relative_l2(prediction, target):
    """Mean over samples of |prediction - target| / |target|, norms over everything but the first axis."""
    error = (prediction - target).flatten(1).norm(dim=1)
    return (error / target.flatten(1).norm(dim=1)).mean()


def fourier_operator(parameters, field):
    """The one-dimensional Fourier neural operator, `[batch, places, 1]` to `[batch, places, 1]`.

    The coordinate s / places joins the field as second channel; a block adds a pointwise linear map and a
    spectral convolution, with GELU after every block but the last.
    """
    def affine(name, values):
        return linear(values, parameters[f"{name}/weight"], parameters[f"{name}/bias"])

    batch, places, _ = field.shape
    coordinate = (torch.arange(places, dtype=field.dtype) / places).reshape(1, places, 1).expand(batch, -1, -1)
    values = affine("lift", torch.cat([field, coordinate], dim=2))
    blocks = sum(name.endswith("spectral/weight") for name in parameters)
    for block in range(blocks):
        spectral = spectral_convolution(values, parameters[f"blocks/{block}/spectral/weight"])
        values = affine(f"blocks/{block}/pointwise", values) + spectral
        if block + 1 < blocks:
            values = torch.nn.functional.gelu(values)
    return affine("projection/1", torch.nn.functional.gelu(affine("projection/0", values)))


def fourier_operator_parameters(draws, width, modes, blocks, projection):
    """Random parameters of `fourier_operator`, by name, in the order of the forward pass."""
    def affine(name, inputs, outputs):
        return {f"{name}/weight": draws.normal(inputs, outputs, scale=inputs ** -0.5),
                f"{name}/bias": draws.normal(outputs, scale=0.1)}

    parameters = affine("lift", 2, width)
    for block in range(blocks):
        name = f"blocks/{block}"
        parameters[f"{name}/spectral/weight"] = draws.normal(modes, 2, width, width, scale=0.5 / width ** 0.5)
        parameters |= affine(f"{name}/pointwise", width, width)
    return parameters | affine("projection/0", width, projection) | affine("projection/1", projection, 1)
