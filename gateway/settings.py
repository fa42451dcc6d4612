"""The settings: the only reader of the environment. The same table stands in .env.example and docs/settings.md."""

import ipaddress
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import phonenumbers
from dotenv import dotenv_values
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from connectors.registry import CONNECTORS
from gateway.trouble import StartError
from resolvers.plans import read_plans
from resolvers.returns import find_origin

ENV_FILE = ".env"
PREFIX = "CROSSWALK_"
POSTGRES = ("postgresql", "postgres")


def check_url(*schemes: str, exact: bool = False) -> AfterValidator:
    """An absolute address of one of these schemes, given back without a slash at its end, or exactly as it is."""

    def check(value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in schemes or (parts.scheme.startswith("http") and not parts.hostname):
            raise ValueError
        _ = parts.port  # raises ValueError where it is no number
        return value if exact else value.rstrip("/")

    return AfterValidator(check)


def check_secret(*schemes: str) -> AfterValidator:
    """An address that may hold a password, of one of these schemes."""

    def check(value: SecretStr) -> SecretStr:
        if urlsplit(value.get_secret_value()).scheme not in schemes:
            raise ValueError
        return value

    return AfterValidator(check)


def check_database(value: SecretStr) -> SecretStr:
    """A Postgres address in one piece: of one that cannot be read, whoever tries would repeat parts, the password's too."""
    try:
        parts = conninfo_to_dict(value.get_secret_value())
    except ProgrammingError:
        raise ValueError from None
    if "@" in str(parts.get("host", "")) or not str(parts.get("port", "0")).replace(",", "").isdigit():
        raise ValueError
    return value


def check_region(value: str) -> str:
    if value.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError
    return value.upper()


def check_origins(value: str) -> str:
    """A list of origins, each in the one spelling that is compared."""
    given = [one.strip().removesuffix("/") for one in value.split(",") if one.strip()]
    origins = [find_origin(one) or "" for one in given]
    if not origins or any(urlsplit(one)._replace(scheme="", netloc="").geturl() for one in given) or not all(origins):
        raise ValueError
    return ",".join(dict.fromkeys(origins))


def check_plans(value: str) -> str:
    read_plans(value)
    return value


def is_loopback(host: str) -> bool:
    """127.0.0.0/8, ::1 and `localhost`, which browsers never ask a name server for."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[int, Field(ge=1, le=86400)]
WebAddress = Annotated[str, check_url("http", "https")]


class Vendor(BaseModel):
    """What is set of one CRM: the OAuth client, and what stands in the place of the vendor's hosts."""

    model_config = ConfigDict(frozen=True)

    client_id: str | None = Field(None, description="the id of the OAuth client registered with the vendor")
    client_secret: SecretStr | None = Field(None, description="its secret")
    api_url: WebAddress | None = Field(
        None, description="an http(s) address that stands in the place of the vendor's API host, path and all"
    )
    oauth_url: WebAddress | None = Field(
        None, description="an http(s) address that stands in the place of the vendor's OAuth host"
    )


class Settings(BaseSettings):
    """One field, one variable of the same name in capitals. A description says what is valid."""

    model_config = SettingsConfigDict(env_file=ENV_FILE, env_ignore_empty=True, extra="ignore", frozen=True)

    host: str = Field(
        "127.0.0.1",
        description="an address or a name of this machine; only 127.0.0.1, ::1 or localhost while the sandbox is on",
    )
    port: Port = Field(8000, description="a port from 0 to 65535; 0 takes any free one")
    public_url: WebAddress | None = Field(
        None, description="the http(s) address that browsers and CRMs see; http://HOST:PORT when not set"
    )
    database_url: Annotated[SecretStr, check_secret(*POSTGRES), AfterValidator(check_database)] | None = Field(
        None, description="postgresql://user:password@host/name of a Postgres 16 or newer; embedded when not set"
    )
    crosswalk_data: Path = Field(Path(".data"), description="the folder of the embedded database and the generated key")
    crosswalk_keys: SecretStr | None = Field(
        None,
        description="id:base64,id:base64 or file:PATH; the first encrypts; generated in CROSSWALK_DATA when not set",
    )
    oauth_state_seconds: Seconds = Field(600, description="1 to 86400: how long a consent may take")
    pending_seconds: Seconds = Field(3600, description="1 to 86400: how long an integration stays PENDING")
    oidc_issuer: Annotated[str, check_url("http", "https", exact=True)] | None = Field(
        None,
        description="the http(s) address of an OpenID Connect issuer, to the letter as its tokens have it, a last slash"
        " included; none when not set",
    )
    oidc_audience: str | None = Field(None, description="the audience that those tokens must name")
    oidc_workspace_claim: str = Field(
        "workspace",
        description="the claim that has the workspace's id, or the name it was created under; `a.b` looks inside",
    )
    oidc_email_claim: str = Field("email", description="the claim that has the e-mail address")
    oidc_role_claim: str = Field(
        "role", description="the claim that has VIEWER, OPERATOR or ADMIN, or a list of roles; a member's own role wins"
    )
    plans: Annotated[str, AfterValidator(check_plans)] | None = Field(
        None,
        description='JSON, as {"BUSINESS": {"crms": ["PIPEDRIVE"], "integrations": 5}}: replaces what the plans include;'
        " crms null is all, integrations null is any number; a plan that is left out includes nothing",
    )
    introspection: bool = Field(True, description="1 or 0: whether clients may ask for the schema")
    graphiql: bool = Field(True, description="1 or 0: whether browsers get GraphiQL at /graphql")
    cors_origins: Annotated[str, AfterValidator(check_origins)] | None = Field(
        None, description="origins, as https://app.example: whose pages may call the gateway; its own only when not set"
    )
    max_depth: Annotated[int, Field(ge=1, le=50)] = Field(15, description="1 to 50: levels of fields within fields")
    max_cost: Annotated[int, Field(ge=1)] = Field(
        10_000, description="1 or more: what one operation may cost; see docs/limits.md"
    )
    cost_per_second: Annotated[int, Field(ge=1)] = Field(
        1_000, description="1 or more: what each caller's budget regains in a second"
    )
    cost_budget: Annotated[int, Field(ge=1)] | None = Field(
        None, description="MAX_COST or more: what each caller may spend at once; five times MAX_COST when not set"
    )
    max_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(
        30, description="1 to 3600: how long an operation may take, its SQL included"
    )
    metrics_token: SecretStr | None = Field(
        None, description="what /metrics wants as a Bearer token; without one it answers on a loopback listener only"
    )
    otel_exporter_otlp_endpoint: WebAddress | None = Field(
        None,
        description="the http(s) address of an OpenTelemetry collector, as http://127.0.0.1:4318: gets traces by OTLP;"
        " needs the extra `otel`; no traces when not set",
    )
    max_body: Annotated[int, Field(ge=1024, le=100_000_000)] = Field(
        1_000_000, description="1024 to 100000000 bytes: the largest request"
    )
    redis_url: Annotated[SecretStr, check_secret("redis", "rediss", "unix")] | None = Field(
        None, description="redis://host:6379/0: a cache that several processes share; memory when not set"
    )
    return_origins: Annotated[str, AfterValidator(check_origins)] | None = Field(
        None,
        description="origins, as https://app.example,https://b.example: where `returnTo` may lead; nowhere when not set",
    )
    default_region: Annotated[str, AfterValidator(check_region)] | None = Field(
        None, description="an ISO country, such as DE, for phone numbers without one"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="debug, info, warning or error")
    log_format: Literal["text", "json"] | None = Field(
        None, description="text or json; text on a terminal and else json when not set"
    )
    crosswalk_sandbox: bool = Field(
        False, description="1 or 0: start the simulated CRMs, and talk to them instead of the vendors (`make run`: 1)"
    )
    sandbox_port: Annotated[int, Field(ge=1, le=65535)] = Field(
        8001, description="a port from 1 to 65535: where the simulated CRMs listen"
    )
    vendors: Mapping[str, Vendor] = Field(default_factory=dict, exclude=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del file_secret_settings
        return init_settings, VendorSource(settings_cls), env_settings, dotenv_settings

    @model_validator(mode="after")
    def _fit(self) -> Self:
        """What is right by itself and wrong together."""
        if self.crosswalk_sandbox and not is_loopback(self.host):
            raise misfit("host", self.host)
        if self.oidc_issuer and not self.oidc_audience:
            raise misfit("oidc_audience", "nothing")
        if self.budget < self.max_cost:
            raise misfit("cost_budget", self.cost_budget)
        return self

    @property
    def is_open(self) -> bool:
        """Whoever reaches the listener without a credential is the admin of the demo workspace."""
        return self.crosswalk_sandbox and is_loopback(self.host)

    @property
    def budget(self) -> int:
        """What each caller may spend at once."""
        return self.cost_budget or 5 * self.max_cost

    @property
    def address(self) -> str:
        """Where browsers and CRMs find this gateway."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"

    @property
    def api_urls(self) -> dict[str, str]:
        """CRM -> what stands in the place of its API host; a CRM that is not in it is asked at the vendor's."""
        return {name: url for name, vendor in self.vendors.items() if (url := vendor.api_url or self.stand_in(name))}

    @property
    def oauth_urls(self) -> dict[str, str]:
        """The same for its OAuth host."""
        return {name: url for name, vendor in self.vendors.items() if (url := vendor.oauth_url or self.stand_in(name))}

    @property
    def oauth_clients(self) -> dict[str, tuple[str, str]]:
        """CRM -> (id, secret) of our OAuth client there, where both are set. The sandbox takes any."""
        made_up = "crosswalk-sandbox" if self.crosswalk_sandbox else ""
        found = {}
        for name, vendor in self.vendors.items():
            secret = vendor.client_secret.get_secret_value() if vendor.client_secret else made_up
            if secret and (client_id := vendor.client_id or made_up):
                found[name] = client_id, secret
        return found

    def stand_in(self, name: str) -> str | None:
        """The sandbox's address of a CRM, and only while the sandbox is on."""
        return f"http://127.0.0.1:{self.sandbox_port}/{name.lower()}" if self.crosswalk_sandbox else None

    @classmethod
    def load(cls, **given: Any) -> Self:
        """The settings as they are now; raises StartError with a line for each variable that is wrong."""
        try:
            return cls(**given)
        except UnicodeDecodeError:
            raise StartError(f"{ENV_FILE}: is no text in UTF-8; write it as .env.example is") from None
        except ValidationError as error:
            raise StartError(*(explain(cls, detail) for detail in error.errors())) from None


def misfit(name: str, value: object) -> PydanticCustomError:
    """A setting that does not go with another one."""
    return PydanticCustomError("misfit", "misfit", {"name": name, "value": value})


def explain(settings: type[Settings], detail: Any) -> str:
    """`PORT: got 'abc', but takes a port from 0 to 65535`. What may hold a password is not repeated."""
    about = detail.get("ctx") or {}
    name, *rest = detail["loc"] or (about["name"],)
    field: FieldInfo = settings.model_fields[name]
    if name == "vendors":
        crm, key = rest[0], rest[1]
        field, name = Vendor.model_fields[key], f"{crm}_{key}"
    secret = "Secret" in str(field.annotation)
    got = "a value that is not repeated here" if secret else repr(about.get("value", detail["input"]))
    return f"{name.upper()}: got {got}, but takes {field.description}"


class VendorSource(PydanticBaseSettingsSource):
    """`<CRM>_CLIENT_ID` and its like, for every connector there is."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError  # the whole is read at once

    def __call__(self) -> dict[str, Any]:
        given = read_variables()
        return {
            "vendors": {
                crm: {key: value for key in Vendor.model_fields if (value := given.get(f"{crm}_{key.upper()}"))}
                for crm in CONNECTORS
            }
        }


def read_variables() -> dict[str, str]:
    """The environment over the .env file, empty ones left out."""
    both = {**dotenv_values(ENV_FILE), **os.environ}
    return {name.upper(): value for name, value in both.items() if value}


def list_variables() -> Iterator[tuple[str, str, str | None]]:
    """(variable, what is valid, default as it is written in a .env file)."""
    for name, field in Settings.model_fields.items():
        if name != "vendors":
            default = field.default
            written = str(int(default)) if isinstance(default, bool) else default
            yield name.upper(), field.description or "", None if written is None else str(written)
    for crm in CONNECTORS:
        for name, field in Vendor.model_fields.items():
            yield f"{crm}_{name.upper()}", field.description or "", None


def find_strangers() -> list[str]:
    """CROSSWALK_ variables that nothing reads: a slip of the pen, most likely."""
    known = {name for name, _, _ in list_variables()}
    return sorted(name for name in read_variables() if name.startswith(PREFIX) and name not in known)
