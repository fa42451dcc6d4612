"""The pages a person sees while an app asks for access, for any CRM."""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; color: #222; background: #f4f5f7; margin: 0; padding: 2rem 1rem; }}
main {{ max-width: 30rem; margin: auto; padding: 1.5rem 2rem; background: #fff; border: 1px solid #ddd;
  border-radius: 8px; overflow-wrap: anywhere; }}
h1 {{ font-size: 1.25rem; }}
fieldset {{ border: 1px solid #ddd; border-radius: 6px; margin: 1rem 0; }}
label {{ display: block; padding: .25rem 0; }}
button {{ font: inherit; padding: .5rem 1.5rem; margin-right: .5rem; border: 1px solid #888; border-radius: 6px;
  background: #fff; cursor: pointer; }}
button[value=allow] {{ color: #fff; background: #176b3a; border-color: #176b3a; }}
small {{ color: #666; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
<p><small>This CRM is simulated. Nothing here is real, and nothing leaves this machine.</small></p>
</main>
</body>
</html>
"""
FORM = """<p>It would be allowed to:</p>
<ul>
{rights}
</ul>
<form method="post" action="{action}">
{hidden}
<fieldset>
<legend>Account</legend>
{accounts}
</fieldset>
<button type="submit" name="decision" value="allow">Allow</button>
<button type="submit" name="decision" value="refuse">Refuse</button>
</form>"""


@dataclass(frozen=True)
class Consent:
    """What is asked: `rights` in words, `accounts` by name, and what the form hands back unseen.

    `chosen` is the number of the account that is picked until the person picks another.
    """

    crm: str
    app: str
    action: str
    rights: Iterable[str]
    accounts: Iterable[str]
    hidden: dict[str, str]
    chosen: int = 1


def render_consent(asked: Consent) -> str:
    form = FORM.format(
        action=escape(asked.action),
        rights="\n".join(f"<li>{escape(right)}</li>" for right in asked.rights),
        hidden="\n".join(
            f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
            for name, value in asked.hidden.items()
        ),
        accounts="\n".join(
            render_account(number, name, chosen=number == asked.chosen) for number, name in enumerate(asked.accounts, 1)
        ),
    )
    return PAGE.format(title=escape(f"{asked.app} asks for access to {asked.crm}"), body=form)


def render_account(number: int, name: str, *, chosen: bool) -> str:
    checked = " checked" if chosen else ""
    return f'<label><input type="radio" name="account" value="{number}"{checked}> {escape(name)}</label>'


def render_problem(crm: str, problem: str) -> str:
    return PAGE.format(
        title=escape(f"{crm} cannot ask you for access"),
        body=f"<p>{escape(problem)}</p>\n<p>Go back to the app and start again.</p>",
    )
