"""Relay: nodes with global ids, connections with their pages."""

from typing import Any, Generic, Self, TypeVar
from uuid import UUID

import strawberry

from resolvers.records import Page, count_rows
from schema.field import Info, field
from storage.listing import GlobalId

T = TypeVar("T")


@strawberry.interface(description="Anything with a global id.")
class Node:
    key: strawberry.Private[UUID]

    @field("The global id; opaque.")
    def id(self) -> strawberry.ID:
        return strawberry.ID(str(GlobalId(type(self).__name__, self.key)))


NODES: dict[str, type["Row"]] = {}
"""The types that wrap a row with an id, by name."""


@strawberry.type
class Row(Node):
    """The base of the types that wrap a row: their fields are its attributes."""

    row: strawberry.Private[Any]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        NODES[cls.__name__] = cls

    @classmethod
    def of(cls, row: Any) -> Self:
        """The type around a row."""
        return cls(key=row.id, row=row)


def read(source: Any, name: str) -> Any:
    """The value of a field that has no method: from the row, or from what JSON the row holds."""
    source = getattr(source, "row", source)
    return source.get(name) if isinstance(source, dict) else getattr(source, name)


def wrap(found: tuple[str, Any] | None) -> Node | None:
    """A row as the type whose name comes with it."""
    return NODES[found[0]].of(found[1]) if found else None


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether something comes after the page.")
    has_previous_page: bool = strawberry.field(description="Whether something comes before the page.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first of the page.")
    end_cursor: str | None = strawberry.field(description="The cursor of the last of the page.")


@strawberry.type(description="One of a list, and where it stands there.")
class Edge(Generic[T]):
    cursor: str = strawberry.field(description="Where it stands in the list: for `after` and `before`.")
    node: T = strawberry.field(description="What stands there.")


@strawberry.type(name="Connection", description="A page of a list.")
class Listing(Generic[T]):
    edges: list[Edge[T]] = strawberry.field(description="What is on the page, each with its cursor.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")
    page: strawberry.Private[Page[Any]]

    @field("What is on the page.")
    def nodes(self) -> list[T]:
        return [edge.node for edge in self.edges]

    @field("How many there are on all pages; null where counting would pass 10,000 rows without an index.", cost=10)
    async def total_count(self, info: Info) -> int | None:
        return await count_rows(info.context, self.page)

    @classmethod
    def of(cls, page: Page[Any], type_: Any) -> Self:
        """A page of rows, each in its type."""
        edges: list[Any] = [Edge(cursor=cursor, node=type_.of(row)) for cursor, row in page.rows]
        info = PageInfo(
            has_next_page=page.has_next,
            has_previous_page=page.has_previous,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        )
        return cls(edges=edges, page_info=info, page=page)
