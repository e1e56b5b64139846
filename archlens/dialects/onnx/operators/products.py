"""Products of matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from ..folding import broadcast
from ..proto import Misfit, written
from ..running import At, Tensor
from .registry import runs


def linear(at: At, x: Tensor, weight: Tensor, bias: Tensor | None, turned: bool) -> Tensor:
    """A product with a constant matrix, ``turned`` where its rows are the inputs."""
    if turned:
        if weight.key:
            weight = Tensor(weight.sizes[::-1], weight.dtype, key=weight.key)
        else:
            args = {"self": weight, "dim0": 0, "dim1": 1}
            weight = at.write("aten.transpose", args, weight.sizes[::-1], dtype=weight.dtype)
    out = (*x.sizes[:-1], weight.sizes[0])
    args = {"input": x, "weight": weight, "bias": bias}
    return at.write("torch.linear", args, out, macs=prod(out) * weight.sizes[1])


@runs("Gemm")
def gemm(at: At) -> Tensor:
    a, b = at.x(), at.x(1)
    m, k, n = crossed(at, a, b)
    left, right = bool(at.node.integer("transA", 0)), bool(at.node.integer("transB", 0))
    alpha, beta = at.node.decimal("alpha", 1.0), at.node.decimal("beta", 1.0)
    bias = at.given(2)
    if bias is not None:
        broadcast((m, n), bias.sizes)
        if bias.key and bias.sizes == (1, n):
            bias = Tensor((n,), bias.dtype, key=bias.key)
    plain = not left and alpha == 1 and (bias is None or (beta == 1 and bias.sizes == (n,)))
    if plain and a.flows and not b.flows:
        return linear(at, a, b, bias, turned=not right)
    args = {"self": a, "mat2": b, "bias": bias}
    return at.write("Gemm", args, (m, n), macs=m * n * k)


def crossed(at: At, a: Tensor, b: Tensor) -> tuple[int, int, int]:
    """Rows, what is summed and columns of a product of two matrices, either of which may lie turned."""
    if len(a.sizes) != 2 or len(b.sizes) != 2:
        raise Misfit(f"{written(a.sizes)} and {written(b.sizes)} are not both matrices")
    m, k = a.sizes[::-1] if at.node.integer("transA", 0) else a.sizes
    k2, n = b.sizes[::-1] if at.node.integer("transB", 0) else b.sizes
    if k != k2:
        raise Misfit(f"{m}x{k} and {k2}x{n} cannot be multiplied")
    return m, k, n


@runs("MatMul")
def matmul(at: At) -> Tensor:
    a, b = at.x(), at.x(1)
    sizes, macs = multiplied(at)
    if a.flows and not b.flows and len(b.sizes) == 2 and len(a.sizes) > 1:
        if at.run.adds(at):
            found = Tensor(sizes, a.dtype)
            found.waiting = lambda bias: linear(at, a, b, bias, turned=True)
            return found
        return linear(at, a, b, None, turned=True)
    return at.write("torch.matmul", {"input": a, "other": b}, sizes, macs=macs)


def multiplied(at: At) -> tuple[tuple[int, ...], int]:
    """The sizes of what a product of matrices makes, and its multiply-accumulates."""
    a, b = at.x(), at.x(1)
    if not a.sizes or not b.sizes:
        raise Misfit("a single number is not a matrix")
    left = a.sizes if len(a.sizes) > 1 else (1, *a.sizes)
    right = b.sizes if len(b.sizes) > 1 else (*b.sizes, 1)
    if left[-1] != right[-2]:
        raise Misfit(f"{written(a.sizes)} and {written(b.sizes)} cannot be multiplied")
    whole = (*broadcast(left[:-2], right[:-2]), left[-2], right[-1])
    sizes = list(whole)
    if len(b.sizes) == 1:
        sizes.pop()
    if len(a.sizes) == 1:
        sizes.pop(-2 if len(b.sizes) > 1 else -1)
    return tuple(sizes), prod(whole) * left[-1]


@runs("Einsum")
def einsum(at: At) -> Tensor:
    tensors = [one for one in at.inputs if one is not None]
    equation = at.node.text("equation").replace(" ", "")
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if len(terms) != len(tensors) or "." in equation:
        raise Misfit(f"its equation {equation!r} is not supported")
    known: dict[str, int] = {}
    for term, one in zip(terms, tensors, strict=True):
        if len(term) != len(one.sizes):
            raise Misfit(f"{term} does not name the axes of {written(one.sizes)}")
        for letter, n in zip(term, one.sizes, strict=True):
            if known.setdefault(letter, n) not in (n, 1) and n != 1:
                raise Misfit(f"{letter} is {known[letter]} and {n}")
            known[letter] = max(known[letter], n)
    if not arrow:
        right = "".join(sorted(one for one in known if left.count(one) == 1))
    if any(one not in known for one in right):
        raise Misfit(f"its equation {equation!r} has output axes that no input has")
    sizes = [known[one] for one in right]
    if len(tensors) == 2:
        made = _product(at, terms, right, known)
        if made is not None:
            return made
    macs = {1: 0, 2: prod(known.values())}.get(len(tensors))
    return at.write("aten.einsum", {"tensors": tensors}, sizes, macs=macs)


def _product(at: At, terms: Sequence[str], out: str, known: Mapping[str, int]) -> Tensor | None:
    """A sum over products of two tensors as a product of matrices; ``None`` where it is none."""
    a, b = at.x(), at.x(1)
    first, second = terms
    summed = [one for one in first if one in second and one not in out]
    both = [one for one in out if one in first and one in second]
    left, right = ([one for one in out if one in term and one not in both] for term in terms)
    plain = all(len(set(term)) == len(term) for term in (first, second, out))
    whole = all(
        len(term) == len(own) + len(both) + len(summed)
        for term, own in zip(terms, (left, right), strict=True)
    )
    if (
        not plain
        or not whole
        or not summed
        or any(
            n != known[one]
            for term, x in zip(terms, (a, b), strict=True)
            for one, n in zip(term, x.sizes, strict=True)
        )
    ):
        return None

    def turned(x: Tensor, term: Sequence[str], order: Sequence[str]) -> Tensor:
        if list(term) == list(order):
            return x
        dims = [list(term).index(one) for one in order]
        return at.write("aten.permute", {"self": x, "dims": dims}, [x.sizes[i] for i in dims])

    def viewed(x: Tensor, sizes: Sequence[int]) -> Tensor:
        return x if x.sizes == tuple(sizes) else at.write("aten.view", {"self": x}, sizes)

    if a.flows and not b.flows and len(second) == 2 and len(summed) == len(right) == 1:
        x = turned(a, first, [*left, *summed])
        made = linear(at, x, b, None, turned=second == summed[0] + right[0])
        return turned(made, [*left, *right], out)
    many, over, rows, columns = (prod(known[one] for one in some) for some in (both, summed, left, right))
    lead = [known[one] for one in both]
    x = viewed(turned(a, first, [*both, *left, *summed]), [*lead, rows, over])
    y = viewed(turned(b, second, [*both, *summed, *right]), [*lead, over, columns])
    macs = many * rows * columns * over
    made = at.write("torch.matmul", {"input": x, "other": y}, [*lead, rows, columns], macs=macs)
    made = viewed(made, [known[one] for one in (*both, *left, *right)])
    return turned(made, [*both, *left, *right], out)
