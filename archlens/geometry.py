"""One axis of a sliding window: how many outputs it gives, and what it leaves unseen.

Output sizes and receptive fields are two readings of the same :class:`Window`, so this arithmetic
lives here and only here. Knows nothing of ops, networks or files.
"""

from __future__ import annotations

from typing import NamedTuple


class Window(NamedTuple):
    """A window along one axis: what a convolution, a pooling, a pad or a crop does there.

    Args:
        kernel: positions that the window looks at (f).
        stride: step from one output to the next, in input positions (s).
        before: positions padded at the start of the axis; negative where it is cropped.
        after: positions padded at its end.
        dilation: distance between two positions that the window looks at (d).
        ceil: round the division up, as pooling with ``ceil_mode`` does.
        transposed: run the window the other way, as a transposed convolution does: each *input*
            then writes ``kernel`` outputs, ``stride`` apart; padding crops the output.

    The arithmetic is that of Dumoulin and Visin, "A guide to convolution arithmetic for deep
    learning" (2016).

    >>> Window(kernel=5).output(32)
    28
    >>> Window(kernel=7, stride=2, before=3, after=3).output(224)
    112
    >>> Window(kernel=3, stride=2, ceil=True).output(112)
    56
    >>> Window(kernel=2, stride=2, transposed=True).output(28)
    56
    """

    kernel: int
    stride: int = 1
    before: int = 0
    after: int = 0
    dilation: int = 1
    ceil: bool = False
    transposed: bool = False

    @property
    def extent(self) -> int:
        """Positions from the first to the last one looked at: ``d(f - 1) + 1``."""
        return self.dilation * (self.kernel - 1) + 1

    def remainder(self, size: int) -> int:
        """What is left over when ``n + 2p - f`` is divided by ``s``: positions that do not fit a step."""
        return (size + self.before + self.after - self.extent) % self.stride

    def output(self, size: int) -> int:
        """Output positions for ``size`` input positions; below 1 where the window does not fit."""
        if self.transposed:
            return (size - 1) * self.stride - self.before - self.after + self.extent
        room = size + self.before + self.after - self.extent
        steps = -(-room // self.stride) if self.ceil else room // self.stride
        if self.ceil and steps * self.stride >= size + self.before:
            steps -= 1  # the last window would start in the padding after the input
        return steps + 1

    def unseen(self, size: int) -> int:
        """Input positions at the end of the axis that no window reaches.

        >>> Window(kernel=11, stride=4).unseen(224)  # (224 - 11)/4 + 1 = 54.25
        1
        >>> Window(kernel=7, stride=2, before=3, after=3).unseen(224)  # only padding is left over
        0
        """
        if self.transposed:
            return 0
        last = (self.output(size) - 1) * self.stride + self.extent - self.before
        return min(max(size - last, 0), size)

    def smallest_padding(self, size: int) -> int:
        """The least padding on both sides with which the window fits ``size`` positions."""
        # rounded up, a window may be larger than what it is laid on by less than a step
        short = self.extent - size - (self.stride - 1 if self.ceil else 0)
        return max(0, -(-short // 2))

    @property
    def formula(self) -> str:
        """The formula of the output size in the field's letters.

        n: input, p: padding, f: kernel, s: stride, d: dilation.
        """
        if self.transposed:
            spare = " + o" if self.before != self.after else ""
            extent = "d(f - 1) + 1" if self.dilation > 1 else "f"
            return f"(n - 1)s - 2p + {extent}{spare}"
        padding = "2p" if self.before == self.after else "p1 + p2"
        extent = "d(f - 1) - 1" if self.dilation > 1 else "f"
        return f"(n + {padding} - {extent})/s + 1"

    def arithmetic(self, size: int, *, total_padding: bool = False) -> str:
        """The formula with its numbers, up to the result.

        ``total_padding`` adds both sides up instead of showing ``2p``.

        >>> print(Window(kernel=5).arithmetic(32))
        (32 + 2*0 - 5)/1 + 1 = 28
        >>> print(Window(kernel=7, stride=2, before=3, after=3).arithmetic(224))
        floor((224 + 2*3 - 7)/2) + 1 = 112
        >>> print(Window(kernel=3, before=2, after=2, dilation=2).arithmetic(56))
        (56 + 2*2 - 2*(3 - 1) - 1)/1 + 1 = 56
        >>> print(Window(kernel=2, stride=2, transposed=True).arithmetic(28))
        (28 - 1)*2 - 2*0 + 2 = 56
        """
        output = self.output(size)
        if self.transposed:
            extent = f"{self.dilation}*({self.kernel} - 1) + 1" if self.dilation > 1 else f"{self.kernel}"
            spare = f" + {self.before - self.after}" if self.before != self.after else ""
            return f"({size} - 1)*{self.stride} - 2*{self.before} + {extent}{spare} = {output}"
        if total_padding:
            padding = f"{self.before + self.after}"
        elif self.before == self.after:
            padding = f"2*{self.before}" if self.before >= 0 else f"2*({self.before})"
        else:
            padding = f"{self.before} + {self.after}"
        extent = f"{self.dilation}*({self.kernel} - 1) - 1" if self.dilation > 1 else f"{self.kernel}"
        division = f"({size} + {padding} - {extent})/{self.stride}"
        if self.remainder(size):
            division = f"{'ceil' if self.ceil else 'floor'}({division})"
        if self.ceil and output < -(-(size + self.before + self.after - self.extent) // self.stride) + 1:
            return f"{division} + 1 - 1 window that would start in the padding = {output}"
        return f"{division} + 1 = {output}"


#: What an element-wise op does along an axis: output i sees input i.
POINT = Window(1)


def same(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Padding before and after for TensorFlow's ``same``: the output has ``ceil(n/s)`` positions.

    Where the padding is odd the extra position comes after. With stride 1 this is also what torch's
    ``padding="same"`` does. Source: TensorFlow, ``tf.nn.convolution``, "Notes on padding".

    >>> same(224, kernel=3, stride=2, dilation=1)
    (0, 1)
    >>> same(28, kernel=5, stride=1, dilation=1)
    (2, 2)
    """
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
    return total // 2, total - total // 2


def same_transposed(kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Cropping before and after for a transposed convolution whose output has ``n*s`` positions.

    It is the padding of the forward convolution that it transposes (TensorFlow,
    ``tf.nn.conv_transpose``); negative where the kernel is shorter than the stride.
    """
    total = dilation * (kernel - 1) + 1 - stride
    before = max(total, 0) // 2
    return before, total - before
