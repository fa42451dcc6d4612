"""The people and companies the simulated CRMs know: made-up names, the same for the same seed everywhere."""

import random
import unicodedata
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

SHARED = 300  # people whom every CRM knows, under ids of its own
SHARED_SEED = 20261101
BLOCK = 100_000  # people per block; a block is a range of phone numbers that nobody else uses
EACH = 4  # people per company, roughly


class Region(NamedTuple):
    """`native/latin` where a name is not written in Latin letters; `phone` groups the digits of a national number.

    `mobile` and `office` are the first digits of numbers, without the trunk zero; seven follow the latter.
    """

    country: str
    dial: str
    mobile: str
    office: str
    phone: tuple[int, ...]
    firsts: tuple[str, ...]
    lasts: tuple[str, ...]
    cities: tuple[str, ...]
    legal: str


class Company(NamedTuple):
    name: str
    domain: str
    street: str
    city: str
    country: str
    phone: str


class Human(NamedTuple):
    """`phone` is E.164; `national` is the same number as people write it at home."""

    first: str
    last: str
    email: str
    phone: str
    national: str
    company: Company


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


REGIONS = (
    Region("Germany", "49", "151", "303", (4, 4, 4), words("Anna Jürgen Lena Sören Katharina Björn Mia Uwe Heike Matthias"),
           words("Müller Schröder Weiß Größmann Krüger Becker Vogt Lindner Jäger Höfer Ziegler"),
           words("Berlin München Köln Düsseldorf Lübeck"), "GmbH"),
    Region("United Kingdom", "44", "7400", "207", (5, 6), words("Oliver Amelia Siobhán Harry Isla Owen Poppy Callum Freya"),
           words("Smith O'Connor Hughes Fairweather Ashcroft Whitlock Barnes Featherstone Dunmore Quigley"),
           words("London Leeds Bristol Cardiff Glasgow"), "Ltd"),
    Region("United States", "1", "202", "212", (3, 3, 4), words("Liam Emma Noah Ava DeShawn Maria Ethan Grace Tyler Chloe"),
           words("Johnson Garcia Nguyen Lee Kowalski Brown Rodriguez Patel Cohen Van-Houten Carter"),
           words("Austin Portland Denver Boston Nashville"), "Inc."),
    Region("France", "33", "612", "14", (2, 2, 2, 2, 2), words("Élodie François Chloé Jérôme Zoé Hélène Loïc Océane Rémi"),
           words("Dubois Lefèvre Moreau Girard Hervé Châtelain Noël Garçon Béranger Faure"),
           words("Paris Lyon Nîmes Orléans Besançon"), "SARL"),
    Region("Spain", "34", "612", "91", (3, 3, 3), words("Íñigo Lucía Jesús Begoña Álvaro Nuria Raúl Inés Óscar Paloma"),
           words("García Núñez López Ibáñez Muñoz Peña Castaño Ortega Vázquez Zúñiga"),
           words("Madrid Sevilla Málaga Bilbao Cádiz"), "S.L."),
    Region("Poland", "48", "512", "22", (3, 3, 3), words("Łukasz Małgorzata Paweł Agnieszka Grażyna Wojciech Żaneta Michał"),
           words("Kowalczyk Wiśniewski Dąbrowska Wójcik Żukowski Jabłoński Pająk Król Śliwa"),
           words("Warszawa Kraków Łódź Wrocław Gdańsk"), "sp. z o.o."),
    Region("Ukraine", "380", "67", "44", (3, 3, 2, 2),
           words("Олена/Olena Тарас/Taras Юлія/Yuliia Андрій/Andrii Ірина/Iryna Богдан/Bohdan"),
           words("Шевченко/Shevchenko Коваленко/Kovalenko Їжак/Yizhak Бондар/Bondar Мельник/Melnyk"),
           words("Київ Львів Одеса Харків"), "ТОВ"),
    Region("Japan", "81", "901", "35", (3, 4, 4), words("陽菜/Hina 蓮/Ren 結衣/Yui 大翔/Hiroto さくら/Sakura 健太/Kenta"),
           words("佐藤/Sato 鈴木/Suzuki 高橋/Takahashi 渡辺/Watanabe 山本/Yamamoto"),
           words("東京 大阪 京都 札幌"), "株式会社"),
    Region("Egypt", "20", "10", "22", (4, 3, 4), words("محمد/Mohamed فاطمة/Fatma يوسف/Youssef مريم/Mariam عمر/Omar"),
           words("حسن/Hassan السيد/Elsayed عبدالله/Abdalla منصور/Mansour إبراهيم/Ibrahim"),
           words("القاهرة الجيزة الإسكندرية"), "ش.م.م"),
)  # fmt: skip
WEIGHTS = (24, 20, 24, 9, 8, 7, 3, 3, 2)

FORES = words(
    "Nordwind Alder Bluepeak Kestrel Lindgren Marlow Orchid Pinecrest Quarry Redfern Silverline Tamarind Umber Vega "
    "Willow Xenon Yarrow Zephyr Amber Birch Cobalt Drift Ember Falcon Granite Harbor Indigo Juniper Kite Lantern "
    "Meridian Nimbus Oakline Prism Quill Rowan Saffron Thistle Ultra Verdant Wren"
)
TRADES = words(
    "Logistics Software Foods Energy Textiles Optics Robotics Media Ceramics Travel Bikes Pharma Timber Analytics "
    "Freight Dental Solar Brewing Printing Insurance Marine Paper Acoustics Farms Studios Metals Coffee Security "
    "Tooling Legal"
)
STREETS = words("Station Market Mill Garden Harbour Church Bridge Park Castle Linden Orchard")


def latin(word: str) -> str:
    """The letters of a name that fit an e-mail address."""
    plain = unicodedata.normalize("NFKD", word.replace("ß", "ss").replace("Ł", "L").replace("ł", "l"))
    return "".join(letter for letter in plain.lower() if "a" <= letter <= "z" or letter == "-")


def split_name(name: str) -> tuple[str, str]:
    native, _, romanized = name.partition("/")
    return native, latin(romanized or native)


NAMES = {
    name: split_name(name) for region in REGIONS for names in (region.firsts, region.lasts) for name in names
}  # computed once: it is asked for by the hundred thousand


def group_digits(digits: str, sizes: tuple[int, ...], gap: str = " ") -> str:
    """`0151 234 5678` out of `01512345678`; what is left over stays at the end."""
    groups, start = [], 0
    for size in sizes:
        groups.append(digits[start : start + size])
        start += size
    return gap.join(part for part in [*groups, digits[start:]] if part)


def number_for(region: Region, slot: int) -> tuple[str, str]:
    """A mobile number, E.164 and national; each slot has its own."""
    trunk = "" if region.dial in {"1", "34", "48"} else "0"
    length = sum(region.phone) - len(trunk) - len(region.mobile)
    # The stride is prime to ten, so that neighbours do not look alike and no two slots meet.
    local = (slot * 7_368_787 + 2_345_678) % 10**length
    if region.dial == "1":  # an exchange never begins with 0 or 1
        local = 2_000_000 + local % 8_000_000
    digits = f"{region.mobile}{local:0{length}d}"
    return f"+{region.dial}{digits}", group_digits(trunk + digits, region.phone)


def make_company(dice: random.Random, number: int, region: Region) -> Company:
    fore, trade = FORES[number % len(FORES)], TRADES[number // len(FORES) % len(TRADES)]
    round_trip = number // (len(FORES) * len(TRADES))
    second = f" {FORES[round_trip * 7 % len(FORES)]}" if round_trip else ""
    domain = f"{fore}{second.replace(' ', '-')}-{trade}{round_trip // len(FORES) or ''}".lower()
    return Company(
        name=f"{fore}{second} {trade} {region.legal}",
        domain=f"{domain}.example",
        street=f"{dice.choice(STREETS)} Street {dice.randrange(1, 180)}",
        city=dice.choice(region.cities),
        country=region.country,
        phone=f"+{region.dial}{region.office}{5_000_000 + number % 4_000_000}",
    )


def generate(seed: str, block: int) -> Iterator[Human]:
    """People without end; the first are the same however many are taken."""
    dice = random.Random(seed)  # noqa: S311 - made-up people, not secrets
    taken: set[str] = set()
    slot = block * BLOCK
    company_number = block * 137
    while True:
        region = dice.choices(REGIONS, WEIGHTS)[0]
        company_number += 1
        company = make_company(dice, company_number, region)
        for _ in range(dice.randrange(1, 2 * EACH)):
            first, first_latin = NAMES[dice.choice(region.firsts)]
            last, last_latin = NAMES[dice.choice(region.lasts)]
            email = f"{first_latin}.{last_latin}@{company.domain}"
            if email in taken:
                email = f"{first_latin}.{last_latin}{slot % BLOCK}@{company.domain}"
            taken.add(email)
            phone, national = number_for(region, slot)
            slot += 1
            yield Human(first, last, email, phone, national, company)


def shared_people(count: int = SHARED) -> list[Human]:
    """The first of them are known to every CRM."""
    return list(islice(generate(f"shared {SHARED_SEED}", 0), min(count, SHARED)))


def people(count: int, seed: str, block: int) -> list[Human]:
    """`count` people: shared ones first, a quarter at most, then this block's own (blocks begin at 1)."""
    shared = shared_people(max(1, count // 4))
    return [*shared, *islice(generate(seed, block), max(0, count - len(shared)))][:count]
