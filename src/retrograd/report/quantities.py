"""Numbers as people read them: bytes, times, shares, ratios."""

from __future__ import annotations

__all__ = ["decimal", "duration", "memory", "percent", "times"]

UNKNOWN = "–"


def decimal(value: float | None) -> str:
    """Three digits after the point, or three significant ones for what is small.

    Example:
        >>> decimal(0.5334), decimal(0.000123), decimal(None)
        ('0.533', '0.000123', '–')
    """
    if value is None:
        return UNKNOWN
    return f"{value:.3f}" if value == 0 or abs(value) >= 0.01 else f"{value:.3g}"


def percent(share: float | None) -> str:
    """A share between 0 and 1 in percent.

    Example:
        >>> percent(0.0511)
        '5.1 %'
    """
    return UNKNOWN if share is None else f"{100 * share:.1f} %"


def times(ratio: float | None) -> str:
    """How many times one thing is another.

    Example:
        >>> times(3.08), times(213.4)
        ('3.1', '213')
    """
    if ratio is None:
        return UNKNOWN
    return f"{ratio:.1f}" if abs(ratio) < 100 else f"{ratio:,.0f}"


def duration(seconds: float | None) -> str:
    """A time in the unit that suits it.

    Example:
        >>> [duration(s) for s in (0.0042, 0.998, 42.4, 125, 7380)]
        ['4.20 ms', '1.00 s', '42.4 s', '2 min 5 s', '2 h 3 min']
    """
    if seconds is None:
        return UNKNOWN
    if seconds == 0:
        return "0 s"
    if seconds < 0.1:
        return f"{1000 * seconds:.2f} ms"
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    return f"{hours} h {minutes_left} min" if hours else f"{minutes} min {rest} s"


def memory(count: float | None) -> str:
    """A number of bytes in the binary unit that suits it.

    Example:
        >>> [memory(n) for n in (17, 1536, 72_576_000)]
        ['17 bytes', '1.5 KiB', '69.2 MiB']
    """
    if count is None:
        return UNKNOWN
    if count < 1024:
        return f"{count:.0f} bytes"
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        count /= 1024
        if count < 1024 or unit == "TiB":
            break
    return f"{count:.1f} {unit}"
