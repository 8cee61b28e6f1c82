"""Which names are one server: letter case, domains and aliases, as the settings say; by default a name is a name."""

from __future__ import annotations

from headroom.core.settings import Identity
from headroom.intake.sql import quoted


def canonical(name: str, identity: Identity) -> str:
    """An SQL expression of the name that a server goes by; ``name`` is one of a name without blanks around it."""
    told = name
    for domain in sorted(identity.domains, key=len):
        ending = f".{domain.casefold()}"
        told = f"CASE WHEN suffix(lower({name}), {quoted(ending)}) THEN left({name}, -{len(ending)}) ELSE {told} END"
    if identity.ignore_case:
        told = f"lower({told})"
    if not identity.aliases:
        return told
    names = {alias.casefold() if identity.ignore_case else alias: meant for alias, meant in identity.aliases.items()}
    by_name = f"MAP {{{', '.join(f'{quoted(alias)}: {quoted(meant)}' for alias, meant in names.items())}}}"
    whole = f"lower({name})" if identity.ignore_case else name
    return f"coalesce({by_name}[{whole}], {by_name}[{told}], {told})"
