"""The control surface `/_sandbox/{crm}/...` for tests and people, its paths taking `?account=2`."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.account import Account, Crm
from sandbox.faults import FAULTS, FaultError
from sandbox.wire import MEDIA_TYPE, encode

LARGEST = 200_000

Control = Callable[[Account, Request], Awaitable[Any]]


class ControlError(Exception):
    def __init__(self, status: int, error: str, **known: Any) -> None:
        super().__init__(error)
        self.status = status
        self.body = {"error": error, **known}


async def read_object(request: Request) -> dict[str, Any]:
    try:
        given = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise ControlError(400, "the body is not JSON") from error
    if not isinstance(given, dict):
        raise ControlError(400, "the body is not a JSON object")
    return given


async def show_counts(account: Account, _: Request) -> Any:
    return account.counts()


async def show_ids(account: Account, request: Request) -> Any:
    name = request.query_params.get("type")
    if name is None:
        return {each: account.ids(each) for each in account.tables}
    if name not in account.tables:
        raise ControlError(400, f"unknown type: {name}", known=list(account.tables))
    return account.ids(name)


async def show_faults(account: Account, _: Request) -> Any:
    return account.faults.given


async def replace_faults(account: Account, request: Request) -> Any:
    try:
        account.replace_faults(await read_object(request))
    except FaultError as error:
        raise ControlError(400, str(error), known={name: fault.takes for name, fault in FAULTS.items()}) from error
    return account.faults.given


async def replace_data(account: Account, request: Request) -> Any:
    """`broken` records are those no strict reader can map; none unless asked for."""
    given = {"seed": 1, "broken": 0, **await read_object(request)}
    known = {"size": f"persons, 0 to {LARGEST}", "seed": "an integer", "broken": "records that cannot be mapped"}
    wrong = set(given) - set(known) or {name for name in known if type(given.get(name)) is not int}
    if wrong or not 0 <= given["size"] <= LARGEST or given["broken"] < 0:
        raise ControlError(400, f"not understood: {', '.join(sorted(wrong)) or 'size or broken'}", known=known)
    account.replace_data(given["size"], given["seed"], given["broken"])
    return account.counts()


async def show_requests(account: Account, _: Request) -> Any:
    return account.calls.report()


async def clear_requests(account: Account, _: Request) -> Any:
    account.forget()
    return account.calls.report()


CONTROLS: dict[str, dict[str, Control]] = {
    "counts": {"GET": show_counts},
    "ids": {"GET": show_ids},
    "faults": {"GET": show_faults, "PUT": replace_faults},
    "data": {"PUT": replace_data},
    "requests": {"GET": show_requests, "DELETE": clear_requests},
}


def find_account(crms: Mapping[str, Crm], request: Request) -> Account:
    name = request.path_params["crm"]
    if name not in crms:
        raise ControlError(404, f"unknown CRM: {name}", known=list(crms))
    accounts = {str(number): account for number, account in enumerate(crms[name].accounts, 1)}
    number = request.query_params.get("account", "1")
    if number not in accounts:
        raise ControlError(404, f"unknown account: {number}", known=list(accounts))
    return accounts[number]


def find_control(request: Request) -> Control:
    what = request.path_params["what"]
    if what not in CONTROLS:
        raise ControlError(404, f"unknown control: {what}", known=list(CONTROLS))
    methods = CONTROLS[what]
    if request.method not in methods:
        raise ControlError(405, f"{request.method} does not apply to {what}", known=list(methods))
    return methods[request.method]


def control_route(crms: Mapping[str, Crm]) -> Route:
    async def control(request: Request) -> Response:
        try:
            account = find_account(crms, request)
            found = await find_control(request)(account, request)
        except ControlError as refusal:
            return Response(encode(refusal.body), refusal.status, media_type=MEDIA_TYPE)
        return Response(encode(found), media_type=MEDIA_TYPE)

    return Route("/_sandbox/{crm}/{what}", control, methods=["GET", "PUT", "POST", "PATCH", "DELETE"])
