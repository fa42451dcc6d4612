"""Phone numbers as E.164."""

import re
from dataclasses import dataclass
from functools import lru_cache

from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    NumberParseException,
    PhoneMetadata,
    ValidationResult,
    format_number,
    is_possible_number_with_reason,
    parse,
)
from phonenumbers import PhoneNumberFormat as Format

SEPARATORS = str.maketrans("", "", " -.()/\u00a0")
INTERNATIONAL = re.compile(r"\+[1-9][0-9]{6,14}")
NATIONAL = re.compile(r"0?[1-9][0-9]{3,13}")


@lru_cache(maxsize=2_000)
def to_e164(value: str, region: str | None) -> str | None:
    """The number as +CCNNN…; None where it cannot be one. `region`: the ISO country of numbers without a country.

    Only the length is checked, not whether the number is in use: ranges change faster than tables of them.
    """
    bare = value.translate(SEPARATORS)
    if INTERNATIONAL.fullmatch(bare) and is_plain(bare):
        return bare
    if region and NATIONAL.fullmatch(bare) and (whole := complete(bare, region)):
        return whole
    try:
        number = parse(value, region)
    except NumberParseException:
        return None
    if is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        return None
    return format_number(number, Format.E164)


def spell_phone(value: str, region: str | None) -> tuple[str, ...]:
    """The ways in which people write the number, the commonest first; the value alone where it cannot be parsed."""
    whole = to_e164(value, region)
    if whole is None:
        return (value,)
    number = parse(whole, None)
    home = format_number(number, Format.NATIONAL)
    forms = (whole, value, format_number(number, Format.INTERNATIONAL), home, re.sub(r"\D", "", home), whole[1:])
    return tuple(dict.fromkeys(forms))


def local_digits(value: str, region: str | None) -> str | None:
    """The digits behind the country's code; None where the number cannot be parsed."""
    whole = to_e164(value, region)
    return None if whole is None else str(parse(whole, None).national_number)


def is_plain(number: str) -> bool:
    """`+` and digits that parsing would leave as they are: ten times cheaper than parsing."""
    for width in (1, 2, 3):
        plan = numbering_plan(number[1 : 1 + width])
        if plan is not None:
            lengths, trunk = plan
            national = number[1 + width :]
            return len(national) in lengths and not (trunk and trunk.match(national))
    return False


def complete(number: str, region: str) -> str | None:
    """Digits dialled within a region, completed as by parsing, ten times cheaper; None where only parsing can tell."""
    home = home_plan(region)
    if home is None or number.startswith(home.code) or (home.abroad and home.abroad.match(number)):
        return None
    if home.trunk and home.trunk.match(number):
        if home.trunk.pattern != "0" or home.general.fullmatch(number):
            return None
        number = number[1:]
    plain = not number.startswith("0") and len(number) in home.lengths
    return f"+{home.code}{number}" if plain else None


@dataclass(frozen=True)
class Home:
    """How numbers are dialled within a region."""

    code: str
    lengths: frozenset[int]
    trunk: re.Pattern[str] | None
    abroad: re.Pattern[str] | None
    """What a number of another country begins with."""
    general: re.Pattern[str]
    """What a national number may look like."""


@lru_cache(maxsize=300)
def home_plan(region: str) -> Home | None:
    """None for a region that shares its code with others, or has rules of its own."""
    metadata = PhoneMetadata.metadata_for_region(region)
    if metadata is None or metadata.general_desc is None or metadata.national_prefix_transform_rule:
        return None
    code = metadata.country_code
    if code is None or COUNTRY_CODE_TO_REGION_CODE[code] != (region,):
        return None
    trunk, abroad = metadata.national_prefix_for_parsing, metadata.international_prefix
    return Home(
        code=str(code),
        lengths=frozenset(metadata.general_desc.possible_length),
        trunk=re.compile(trunk) if trunk else None,
        abroad=re.compile(abroad) if abroad else None,
        general=re.compile(metadata.general_desc.national_number_pattern or ""),
    )


@lru_cache(maxsize=1000)
def numbering_plan(code: str) -> tuple[frozenset[int], re.Pattern[str] | None] | None:
    """How long national numbers behind a country code can be, and what a number dialled within the country begins with."""
    if not code or int(code) not in COUNTRY_CODE_TO_REGION_CODE:
        return None
    region = COUNTRY_CODE_TO_REGION_CODE[int(code)][0]
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(int(code), region)
    if metadata is None or metadata.general_desc is None:
        return None
    prefix = metadata.national_prefix_for_parsing
    return frozenset(metadata.general_desc.possible_length), re.compile(prefix) if prefix else None
