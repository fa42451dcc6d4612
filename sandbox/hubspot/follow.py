"""What follows from the values people write: properties that the vendor calculates."""

from sandbox.hubspot.profiles import Profile
from sandbox.people import REGIONS
from sandbox.table import Json

DIALS = sorted({region.dial for region in REGIONS}, key=len, reverse=True)
SEARCHED = {
    "phone": "hs_searchable_calculated_phone_number",
    "mobilephone": "hs_searchable_calculated_mobile_number",
}


def local_digits(phone: str) -> str:
    """Area code and local number: what the vendor searches by, without the country code and the trunk zero."""
    digits = "".join(letter for letter in phone if letter in "0123456789")
    if phone.startswith("+") or digits.startswith("00"):
        digits = digits.removeprefix("00")
        digits = next((digits.removeprefix(dial) for dial in DIALS if digits.startswith(dial)), digits)
    return digits.removeprefix("0")


def count_digits(record: Json) -> Json:
    """The numbers of a contact as they are searched."""
    return {target: local_digits(str(record[name])) for name, target in SEARCHED.items() if record.get(name)}


def follow(profile: Profile, kind: str, record: Json, given: Json) -> Json:
    """The calculated properties that change with those given; None empties."""
    found: Json = {}
    if kind == "contacts":
        for name, target in SEARCHED.items():
            if name in given:
                found[target] = local_digits(record[name]) if record.get(name) else None
        if "email" in given:
            found["hs_email_domain"] = str(record.get("email") or "").rpartition("@")[2] or None
    if kind == "deals" and "dealstage" in given:
        stage = next(stage for each in profile.pipelines for stage in each.stages if stage.key == record["dealstage"])
        found["hs_deal_stage_probability"] = stage.probability
        found["hs_is_closed"] = str(stage.closed).lower()
        found["hs_is_closed_won"] = str(stage.closed and stage.probability == "1.0").lower()
    return found
