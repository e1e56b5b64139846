"""One axis of a sliding window: how many outputs it gives, what they see, and what is left unseen.

Output sizes and receptive fields are two readings of the same :class:`Window`, so this arithmetic
lives here and only here. Knows nothing of ops, networks or files.
"""

from __future__ import annotations

from math import gcd, lcm
from typing import NamedTuple

from .formulas import greatest


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

    @property
    def cuts(self) -> bool:
        """Whether it drops positions at an end of the axis: negative padding, or that of a transposed one."""
        return max(self.before, self.after) > 0 if self.transposed else min(self.before, self.after) < 0

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
        """Input positions at the end of the axis that no window reaches, or whose every output is cropped.

        >>> Window(kernel=11, stride=4).unseen(224)  # (224 - 11)/4 + 1 = 54.25
        1
        >>> Window(kernel=7, stride=2, before=3, after=3).unseen(224)  # only padding is left over
        0
        >>> Window(kernel=2, stride=2, before=4, after=4, transposed=True).unseen(28)  # each writes 2 of 56
        2
        """
        if not self.transposed:
            last = (self.output(size) - 1) * self.stride + self.extent - self.before
            return min(max(size - last, 0), size)
        # with tap m an input j writes the output sj + md - p; the last such j of the first tap that has one
        far = self.before - (size - 1) * self.stride
        for tap in range(max(-(-far // self.dilation), 0), self.kernel):
            least = self.before - tap * self.dilation
            last = min((least + self.output(size) - 1) // self.stride, size - 1)
            if last * self.stride >= max(least, 0):
                return size - 1 - last
        return size

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

    def of(self, size: str) -> str:
        """The formula with its numbers, of a size that is a formula itself.

        >>> print(Window(kernel=7, stride=2, before=3, after=3).of("H"))
        floor((H + 2*3 - 7)/2) + 1
        >>> print(Window(kernel=2, stride=2, transposed=True).of("floor(H/2)"))
        (floor(H/2) - 1)*2 - 2*0 + 2
        """
        if self.transposed:
            return self._spread(size)
        room = self._room(size)
        if self.stride == 1:
            return f"{room} + 1"
        return f"{'ceil' if self.ceil else 'floor'}(({room})/{self.stride}) + 1"

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
            return f"{self._spread(size)} = {output}"
        division = f"({self._room(size, total_padding=total_padding)})/{self.stride}"
        if self.remainder(size):
            division = f"{'ceil' if self.ceil else 'floor'}({division})"
        if self.ceil and output < -(-(size + self.before + self.after - self.extent) // self.stride) + 1:
            return f"{division} + 1 - 1 window that would start in the padding = {output}"
        return f"{division} + 1 = {output}"

    def _spread(self, size: object) -> str:
        """What a transposed window makes of a size, in numbers."""
        extent = f"{self.dilation}*({self.kernel} - 1) + 1" if self.dilation > 1 else f"{self.kernel}"
        spare = f" + {self.before - self.after}" if self.before != self.after else ""
        return f"({size} - 1)*{self.stride} - 2*{self.before} + {extent}{spare}"

    def _room(self, size: object, *, total_padding: bool = False) -> str:
        """How far the window can move along a size, in numbers."""
        if total_padding:
            padding = f"{self.before + self.after}"
        elif self.before == self.after:
            padding = f"2*{self.before}" if self.before >= 0 else f"2*({self.before})"
        else:
            padding = f"{self.before} + {self.after}"
        extent = f"{self.dilation}*({self.kernel} - 1) - 1" if self.dilation > 1 else f"{self.kernel}"
        return f"{size} + {padding} - {extent}"


#: What an element-wise op does along an axis: output i sees input i.
POINT = Window(1)


class NonUniformField(ValueError):
    """A field that one interval and one step cannot say; the message is the reason."""


#: The most outputs after which a field may repeat, and the largest position that is followed.
MAX_PERIOD, MAX_POSITION = 1024, 10**15


class Field(NamedTuple):
    """The input positions that the outputs along one axis see: the receptive field of a layer.

    Output ``i`` sees ``[starts[r] + k*step, stops[r] + k*step)`` with ``k, r = divmod(i, period)``, where
    the period is the length of ``starts``. It is 1 until something upsamples: then neighbouring outputs see
    intervals of different lengths, and the effective stride is a fraction. Positions below 0 are padding.

    Each step of the recursion is that of Araujo, Norris and Sim, "Computing Receptive Fields of
    Convolutional Neural Networks", Distill (2019), done on both ends of the interval, so that asymmetric
    padding and several branches stay exact.

    >>> field = INPUT.through(Window(7, 2, 3, 3)).through(Window(3, 2, 1, 1))
    >>> field.size, field.stride, field.start
    (11, 4, -5)
    >>> INPUT.through(Window(2, 2, transposed=True)).stride
    '1/2'
    """

    starts: tuple[int, ...]
    stops: tuple[int, ...]
    #: Input positions from an output to the one a period later.
    step: int

    @property
    def period(self) -> int:
        """How many outputs lie between two that see intervals of the same length."""
        return len(self.starts)

    @property
    def size(self) -> int:
        """Positions from the first to the last one seen; the most that any output has."""
        return max(stop - start for start, stop in zip(self.starts, self.stops, strict=True))

    @property
    def stride(self) -> int | str:
        """The effective stride: input positions from one output to the next; a fraction as ``"1/2"``."""
        return _quotient(self.step, self.period)

    @property
    def start(self) -> int:
        """The first position that output 0 sees; the effective padding is what lies below 0."""
        return self.starts[0]

    @property
    def centre(self) -> int | str:
        """The middle of what output 0 sees; halves as ``"1/2"``."""
        return _quotient(self.starts[0] + self.stops[0] - 1, 2)

    def at(self, output: int) -> tuple[int, int]:
        """What one output sees, as ``[start, stop)``."""
        turns, phase = divmod(output, len(self.starts))
        return self.starts[phase] + turns * self.step, self.stops[phase] + turns * self.step

    def unclipped(self, size: int, outputs: int) -> tuple[int, int, int]:
        """How many of the first outputs see no padding, and from which to before which they lie.

        Args:
            size: the positions of the input, from 0.
            outputs: how many outputs there are.

        >>> INPUT.through(Window(7, 2, 3, 3)).unclipped(224, 112)
        (109, 2, 111)
        """
        count, first, last = 0, outputs, 0
        for phase, (start, stop) in enumerate(zip(self.starts, self.stops, strict=True)):
            low, high = 0, (outputs - 1 - phase) // self.period  # turns
            if self.step:
                low, high = max(0, -(start // self.step)), min(high, (size - stop) // self.step)
            elif start < 0 or stop > size:
                continue
            if low <= high:
                count += high - low + 1
                first = min(first, phase + low * self.period)
                last = max(last, phase + high * self.period + 1)
        return (count, first, last) if count else (0, 0, 0)

    def through(self, window: Window) -> Field:
        """The field of what a window makes of a tensor that has this one.

        Raises:
            NonUniformField: some outputs of a transposed window see nothing, or the numbers grow out of hand.
        """
        if window.transposed:
            return self._transposed(window)
        kernel, stride, before, _, dilation, _, _ = window
        extent = dilation * (kernel - 1)
        if len(self.starts) == 1:  # the same, quicker
            starts, stops, step = self
            found = Field((starts[0] - before * step,), (stops[0] + (extent - before) * step,), step * stride)
        else:
            shared = gcd(self.period, stride)
            firsts = [phase * stride - before for phase in range(self.period // shared)]
            ends = [self._over(first, first + extent, dilation) for first in firsts]
            found = _from(ends, self.step * stride // shared)
        if max(found.stops[0], found.step, -found.starts[0]) > MAX_POSITION:
            raise NonUniformField(f"it reaches beyond {MAX_POSITION:.0e} positions".replace("e+", " * 10^"))
        return found

    def _transposed(self, window: Window) -> Field:
        """Output ``t`` sees the inputs ``j`` with ``j*s + m*d - p = t`` for one of ``m = 0 .. f - 1``."""
        kernel, stride, before, _, dilation, _, _ = window
        if self.period * stride > MAX_PERIOD:
            raise NonUniformField(f"its outputs repeat only after {self.period * stride:,} positions")
        if kernel < stride:
            raise NonUniformField("its kernel is shorter than its stride, so that some outputs see nothing")
        if gcd(dilation, stride) > 1:
            raise NonUniformField(
                "its dilation and its stride share a factor, so that some outputs see nothing"
            )
        ends = []
        for phase in range(self.period * stride):
            # every stride-th of the kernel's positions meets this output
            least = (phase + before) * pow(int(dilation), -1, int(stride)) % stride
            most = least + (kernel - 1 - least) // stride * stride
            first, last = [(phase + before - tap * dilation) // stride for tap in (most, least)]
            ends.append(self._over(first, last, dilation))
        return _from(ends, self.step)

    def _over(self, first: int, last: int, apart: int) -> tuple[int, int]:
        """What the outputs ``first``, ``first + apart``, …, ``last`` see together.

        A dilated transposed window can let a later output begin earlier, but never by a whole period.
        """
        count = min((last - first) // apart + 1, self.period)
        return (
            min(self.at(first + k * apart)[0] for k in range(count)),
            max(self.at(last - k * apart)[1] for k in range(count)),
        )

    def shortened(self) -> Field:
        """The same field with its shortest period."""
        period = self.period
        for short in range(1, period):
            if period % short or self.step * short % period:
                continue
            step = self.step * short // period
            if all(
                ends[k + short] == ends[k] + step
                for ends in (self.starts, self.stops)
                for k in range(period - short)
            ):
                return Field(self.starts[:short], self.stops[:short], step)
        return self

    def fixed(self) -> Field:
        """The field of output 0, repeated: that of an axis of size 1 which is broadcast."""
        return Field(self.starts[:1], self.stops[:1], 0)

    def union(self, other: Field) -> Field:
        """From the first to the last position that either sees.

        Raises:
            NonUniformField: their strides differ, so that no one interval and step can say it.
        """
        if self.step * other.period != other.step * self.period:
            raise NonUniformField(f"strides of {self.stride} and {other.stride}")
        period = lcm(self.period, other.period)
        if period > MAX_PERIOD:
            raise NonUniformField(f"its outputs repeat only after {period:,} positions")
        both = [(self.at(i), other.at(i)) for i in range(period)]
        return Field(
            tuple(min(a[0], b[0]) for a, b in both),
            tuple(max(a[1], b[1]) for a, b in both),
            self.step * period // self.period,
        ).shortened()

    def is_aligned_with(self, other: Field) -> bool:
        """Whether both look around the same place.

        That is the same centre; or the past, up to their own position, as causal windows do. Outputs of a
        period share what something upsampled: their centres are compared on average, and may be less than
        half of a step of the coarser grid apart, as they are where nearest upsampling brings back what a
        strided convolution took.
        """
        if self.period == other.period == 1:
            if self.stops == other.stops and self.stops[0] <= 1:
                return True
            return self.centre == other.centre
        outputs = lcm(self.period, other.period)
        # twice the difference of the centres, of all outputs together
        apart = sum(sum(self.at(i)) - sum(other.at(i)) for i in range(outputs))
        coarse = max(self.step, other.step)  # at one stride, of the longer period
        return abs(apart) < coarse * outputs


def _from(ends: list[tuple[int, int]], step: int) -> Field:
    starts, stops = zip(*ends, strict=True)
    return Field(starts, stops, step).shortened()


def _quotient(numerator: int, denominator: int) -> int | str:
    shared = gcd(numerator, denominator)
    numerator, denominator = numerator // shared, denominator // shared
    return numerator if denominator == 1 else f"{numerator}/{denominator}"


#: The field of the input itself: each position sees itself.
INPUT = Field((0,), (1,), 1)


def shared(n: int, o: int) -> int:
    """The greatest common divisor of a size and a number: phi(d) for each divisor ``d`` of both, added up.

    Whether ``d`` divides ``n`` is ``floor(n/d) - floor((n - 1)/d)``, so it is a formula of ``n``.

    >>> shared(12, 18), shared(7, 1)
    (6, 1)
    """
    if n.__class__ is int:
        return gcd(n, o)
    o = int(o)
    divisors = [d for d in range(1, o + 1) if o % d == 0]
    return sum((n // d - (n - 1) // d) * sum(gcd(d, k) == 1 for k in range(1, d + 1)) for d in divisors)


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
    total = greatest(((outputs - 1) * stride + dilation * (kernel - 1) + 1 - size, 0))
    return total // 2, total - total // 2


def same_transposed(kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Cropping before and after for a transposed convolution whose output has ``n*s`` positions.

    It is the padding of the forward convolution that it transposes (TensorFlow,
    ``tf.nn.conv_transpose``); negative where the kernel is shorter than the stride.
    """
    total = dilation * (kernel - 1) + 1 - stride
    before = max(total, 0) // 2
    return before, total - before
