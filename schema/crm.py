"""What a CRM is, and what it knows beside records: its types, pipelines, fields and limits."""

from datetime import datetime
from typing import Any

import strawberry

from connectors.declaration import Connector, ExternalType
from connectors.registry import Crm
from schema import enums  # noqa: F401 # the enums below get their descriptions there
from schema.field import field, shown
from storage.shapes import BudgetWindow, CredentialKind, Plan, RecordType


@strawberry.type(
    description="A kind of record in this CRM, and the unified type it becomes: Lead and Contact are both CONTACT."
)
class CrmType:
    external_type: str = strawberry.field(description="The CRM's own word.")
    record_type: RecordType = strawberry.field(description="The unified type.")
    label: str = strawberry.field(description="As people name it.")
    is_writable: bool = strawberry.field(description="Whether it can be changed from here.")

    @classmethod
    def of(cls, type_: ExternalType) -> "CrmType":
        """From a connector's declaration."""
        return cls(
            external_type=type_.name, record_type=type_.record_type, label=type_.label, is_writable=type_.is_writable
        )


@strawberry.type(description="A kind of CRM that can be connected: what a platform picker shows.")
class CrmPlatform:
    connector: strawberry.Private[Connector]
    missing_settings: list[str] = strawberry.field(description="The settings that are still to be set for it.")
    callback_url: str = strawberry.field(description="To be registered with the vendor.")
    required_plan: Plan | None = strawberry.field(
        description="The smallest plan that includes it; null where none does."
    )
    is_included_in_plan: bool = strawberry.field(description="Whether the workspace's plan includes it.")

    @field("Which CRM.", graphql_type=Crm)
    def crm(self) -> Any:
        return Crm(self.connector.name)

    @field("Its name, as people write it.")
    def name(self) -> str:
        return self.connector.label

    @field("The kinds of record that are read from it.")
    def types(self) -> list[CrmType]:
        return [CrmType.of(type_) for type_ in self.connector.types]

    @field("How an account of it can be connected.")
    def credential_kinds(self) -> list[CredentialKind]:
        return list(self.connector.credential_kinds)

    @field("What a user is asked to consent to.")
    def scopes(self) -> list[str]:
        return list(self.connector.scopes)

    @field("The OAuth client's id and secret are set.")
    def is_configured(self) -> bool:
        return not self.missing_settings

    @field("The vendor's developer console, and the page of docs/ that says what to do there.")
    def setup_url(self) -> str:
        return self.connector.setup_url

    @field("The page of docs/ about this CRM.")
    def docs_url(self) -> str:
        return self.connector.docs


@strawberry.type(description="A stage of a pipeline.")
class PipelineStage:
    external_id: str = strawberry.field(description="Its id in the CRM.")
    name: str = strawberry.field(description="Its name.")
    position: int = strawberry.field(description="Where it stands in its pipeline, counted from the beginning.")
    probability: int | None = strawberry.field(description="How likely a deal in it is won, in per cent.")


@strawberry.type(description="A pipeline: the stages that a deal passes.")
class Pipeline:
    external_id: str = strawberry.field(description="Its id in the CRM.")
    name: str = strawberry.field(description="Its name.")
    stages: list[PipelineStage] = strawberry.field(description="Its stages, in their order.")


@strawberry.type(description="One of the values that a field can have.")
class CrmFieldOption:
    value: str = strawberry.field(description="The CRM's own key of the value.")
    label: str = strawberry.field(description="As people see it.")


@strawberry.type(description="A field of the CRM, custom ones included.")
class CrmField:
    row: strawberry.Private[Any]
    external_type: str = shown("The type of record that has it, in the CRM's own word.")
    name: str = shown("The CRM's own key.")
    label: str = shown("As people see it.")
    type: str = shown("What it holds, in the CRM's own word.")
    is_custom: bool = shown("Whether the account has added it.")
    is_writable: bool = shown("Whether it can be changed.")
    is_required: bool = shown("Whether a record must have it.")

    @field("The values that it can have, where they are a list.")
    def options(self) -> list[CrmFieldOption]:
        return [CrmFieldOption(value=value, label=label) for value, label in self.row.options]


@strawberry.type(
    description="One limit of the account's API: what is left of it, as the CRM last said or as counted here."
)
class RateBudget:
    row: strawberry.Private[Any]
    window: BudgetWindow = shown("Which limit.")
    window_seconds: int | None = shown("Over how many seconds it counts.")
    limit: int | None = shown("How much there is of it.")
    remaining: int | None = shown("How much is left.")
    resets_at: datetime | None = shown("When it is full again.")
