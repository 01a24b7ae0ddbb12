"""Spellings that readers of JSON take differently."""

from typing import Final

__all__ = ["AROUND", "INSTEAD", "KEYS", "LIMITS", "NUMBERS", "SECONDS", "TEXTS", "TIMES"]

NUMBERS: Final = (
    *(
        "42.0",
        "42e0",
        "4.2e1",
        "42E+0",
        "042",
        "+42",
        "-0",
        "42.",
        ".42",
        "0x2a",
        "NaN",
        "Infinity",
        "-Infinity",
        "4 2",
    ),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775808", "1" * 400, '"42"', "\u0664\u0662"),
)
"""Instead of the number 42."""

SECONDS: Final = (
    *("06.250+00:00", "06,250Z", "06.25Z", "06.2500Z", "06.250000Z", "06.250000000Z", "06.250001Z", "06.000Z", "06Z"),
    *("06.250z", "60.250Z", "06.250Z ", "06.250", "06.2500000000Z"),
)
"""Instead of the seconds 06.250Z."""

DAYS: Final = (
    *("2025-02-29", "2024-02-29", "2100-02-29", "2025-13-01", "2025-00-10", "1969-12-31", "1970-01-01", "0000-01-01"),
    *("9999-12-31", "2025-04-31", "2025-01-00"),
)
TIMES: Final = (
    *(f"2025-01-02T03:04:{seconds}" for seconds in SECONDS),
    *(f"{day}T23:59:59Z" for day in DAYS),
    *(f"2025-01-01T{hour}Z" for hour in ("24:00:00", "23:60:00", "23:59:60")),
)
"""When something may be said to have ended."""

AROUND: Final = {
    "a space before": b" %s",
    "a space behind": b"%s ",
    "two line ends": b"%s\n\n",
    "a byte order mark": b"\xef\xbb\xbf%s",
    "a second document": b"%s{}",
    "an array around": b"[%s]",
    "a NUL behind": b"%s\0",
    "a carriage return": b"%s\r",
    "a comma behind": b"%s,",
    "a comment": b"%s//",
    "a line end before": b"\n%s",
    "a form feed": b"\f%s",
    "itself again": b"%s%s",
    "a no-break space": b"%s\xc2\xa0",
}
"""What stands around a document, which is `%s`."""

INSTEAD: Final = {
    "nothing": b"",
    "a space": b" ",
    "null": b"null",
    "true": b"true",
    "a number": b"1",
    "a text": b'"x"',
    "an empty object": b"{}",
    "an empty array": b"[]",
    "a brace": b"{",
    "a bracket": b"[",
    "a quote": b'"',
    "deep arrays": b"[" * 5000 + b"]" * 5000,
    "64 deep": b"[" * 64 + b"]" * 64,
    "65 deep": b"[" * 65 + b"]" * 65,
    "66 deep": b"[" * 66 + b"]" * 66,
    "invalid UTF-8": b'{"\xff":1}',
    "an overlong form": b'{"\xc0\xaf":1}',
    "a surrogate in UTF-8": b'{"\xed\xa0\x80":1}',
}
"""What is no receipt."""

TEXTS: Final = {
    "a lone high surrogate": r"\ud800",
    "a lone low surrogate": r"\udc00",
    "swapped surrogates": r"\ude00\ud83d",
    "a pair": r"\ud83d\ude00",
    "high and a letter": r"\ud83dx",
    "high and an escape": r"\ud83d\n",
    "high and high": r"\ud83d\ud83d\ude00",
    "a bad escape": r"\x41",
    "three digits": r"\u041",
    "not hexadecimal": r"\u00g0",
    "a signed escape": r"\u+041",
    "a raw line end": "\n",
    "a raw tab": "\t",
    "a raw NUL": "\0",
    "an escaped NUL": r"\u0000",
    "a raw delete": "\x7f",
    "a capital escape": r"\U0041",
    "a backslash at the end": "\\",
}
"""What stands between two quotes."""

LIMITS: Final = (
    *("", "x", "[]", "null", "{", '{"fuel":1,"fuel":2}', '{"fuel":1.5}', '{"fuel":9007199254740994}', '{"fuel":"9"}'),
    *('{"memory_bytes":134217729}', '{"timeout_ms":30001}', '{"max_output_bytes":8388609}'),
    '{"x":"' + "y" * 5000 + '"}',
    *('{"x":' + "[" * deep + inside + "]" * deep + "}" for deep in (63, 64, 65) for inside in ("", "1", '"1"', "true")),
)
"""Texts of `orlop.limits`."""

KEYS: Final = tuple(
    key[:62] + f"{int(key[62:], 16) | sign:02x}"
    for sign in (0, 0x80)
    for key in (
        "0" * 64,
        "01" + "0" * 62,
        *(f"{byte}{'f' * 60}7f" for byte in ("ec", "ed", "ee", "ef", "ff")),
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "02" + "0" * 62,
    )
)
"""Keys of small order, keys that are no point, and keys in a spelling that is not the shortest."""
