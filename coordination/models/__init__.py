"""The domain's tables: fields and constraints only."""

from coordination.models.agents import Agent, Instance
from coordination.models.attestations import Attestation
from coordination.models.claims import Allocation, Claim, Coexistence, Ground, GroundExcept, QueueEntry
from coordination.models.messages import Message, Receipt
from coordination.models.sweeps import Sweep

__all__ = [
    "Agent",
    "Allocation",
    "Attestation",
    "Claim",
    "Coexistence",
    "Ground",
    "GroundExcept",
    "Instance",
    "Message",
    "QueueEntry",
    "Receipt",
    "Sweep",
]
