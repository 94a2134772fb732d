"""Small things done with people's names."""


def initials(name: str) -> str:
    """The first letters of the first and the last word, for an avatar; ``?`` where there is no word.

    >>> initials("Mara da Silva"), initials("  "), initials("ana@example.com")
    ('MS', '?', 'A')
    """
    letters = [word[0] for word in name.split() if word[0].isalnum()]
    if not letters:
        return "?"
    return (letters[0] + (letters[-1] if len(letters) > 1 else "")).upper()
