"""Every table that has a row model, and the order in which a flush writes them. Pure."""

from typing import Final

from schemas.erasure_rows import ErasureMarkRow, ErasureRow
from schemas.fact_rows import AgentStateRow, EventFactRow
from schemas.identity_rows import (
    IdentityEdgeRow,
    IdentityLinkRow,
    IdentityMapRow,
    IdentityMemberRow,
)
from schemas.live import QueueBreachRow, QueueLiveRow
from schemas.rows import (
    AgentPaneRow,
    CheckpointRow,
    ConversationPaneRow,
    CustomerInteractionRow,
    DeadLetterRow,
    EventRow,
    InteractionRow,
    KpiPaneRow,
    LateEventRow,
    QueueSettingRow,
    Row,
    TopicLogRow,
    WatermarkRow,
)

ROWS: Final[tuple[type[Row], ...]] = (
    EventRow,
    EventFactRow,
    AgentStateRow,
    InteractionRow,
    CustomerInteractionRow,
    IdentityLinkRow,
    IdentityEdgeRow,
    IdentityMemberRow,
    IdentityMapRow,
    KpiPaneRow,
    AgentPaneRow,
    ConversationPaneRow,
    QueueLiveRow,
    QueueBreachRow,
    DeadLetterRow,
    LateEventRow,
    WatermarkRow,
    CheckpointRow,
)
"""What a flush writes, in the order in which it does: checkpoints last."""

TABLES: Final[tuple[type[Row], ...]] = (
    *ROWS,
    TopicLogRow,
    QueueSettingRow,
    ErasureMarkRow,
    ErasureRow,
)
"""Every table with a row model."""
