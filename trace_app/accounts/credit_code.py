"""The unified social credit code (GB 32100-2015)."""

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""Table 1: 31 characters, without I, O, S, V, Z."""
_WEIGHTS = [pow(3, position, 31) for position in range(17)]


def check_character(body: str) -> str:
    """The check character for the first 17 characters (GB 32100-2015, 5.5).

    :raises ValueError: for a character outside the alphabet or another length.
    """
    if len(body) != 17:
        raise ValueError("the body has 17 characters")
    total = sum(ALPHABET.index(character) * weight for character, weight in zip(body, _WEIGHTS, strict=True))
    return ALPHABET[-total % 31]


def is_credit_code(text: str) -> bool:
    """Whether the text is an 18-character code with the right check character."""
    return len(text) == 18 and not set(text) - set(ALPHABET) and check_character(text[:17]) == text[17]
